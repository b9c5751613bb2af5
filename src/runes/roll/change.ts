import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { KERNEL_HEAD_BYTES, kernelImageBuild } from '../../image/sources/families/kernel-image.ts';
import { describeError } from '../../linux/describe-error.ts';
import { askAgain, forgetAgain } from '../../root/again.ts';
import { fetchText } from '../fetch-text.ts';
import { readMachine } from '../machine.ts';
import { PRIVATE_DIRECTORY } from '../places.ts';
import { type BootChoice, parseBootChoice, scriptPath } from './boot-choice.ts';

const ANSWER_MS = 10_000;
const LARGEST_SCRIPT = 64 << 10;
/** An initrd is packed: whatever is changed in it changes all that comes after, its end too. */
const TAIL_BYTES = 64 << 10;
const LOWER = `${PRIVATE_DIRECTORY}/lower`;

/** Of this machine. */
export interface ChangeFacts {
  readonly booted: 'medium' | 'network';
  /** Of the card that it was booted by. */
  readonly mac: string | undefined;
  /** It ends by going back to the initramfs (https://systemd.io/INITRD_INTERFACE). */
  readonly hasSystemd: boolean;
  /** A policy is loaded, which can be replaced only by who it allows to. */
  readonly hasSelinux: boolean;
  /** The machine that boots others; null: none now. */
  readonly server: string | null;
  readonly isServer: boolean;
}

/** Why this machine can start anew by its firmware only; undefined: it may be able to without. Pure. */
export function whyFirmware({
  booted,
  mac,
  hasSystemd,
  hasSelinux,
  server,
  isServer,
}: ChangeFacts): string | undefined {
  if (booted !== 'network' || mac === undefined) return 'it boots from a medium of its own';
  if (!hasSystemd) return 'its init is not systemd';
  if (hasSelinux) return 'an SELinux policy is in force';
  if (isServer) return 'it is the boot server itself';
  return server === null ? 'no machine boots others now' : undefined;
}

export function changeFacts(known: { readonly server: string | null; readonly isServer: boolean }): ChangeFacts {
  const { booted, bootMac } = readMachine();
  return {
    ...{ booted, mac: bootMac, server: known.server, isServer: known.isServer },
    hasSystemd: existsSync('/run/systemd/system'),
    hasSelinux: existsSync('/sys/fs/selinux/enforce'),
  };
}

/** The kernel that runs, and where the image is mounted that the machine was booted by. */
export interface RunningFiles {
  readonly uname: { readonly release: string; readonly version: string };
  readonly lower: string;
}

/**
 * What the boot server has for this machine, when this machine can take it up without its firmware: it runs by that
 * image's kernel and initrd already. Nothing is changed by asking.
 * @throws Error that says why it cannot, or what failed
 */
export async function findChange(
  { server, mac }: ChangeFacts,
  { uname, lower }: RunningFiles = { uname: runningKernel(), lower: LOWER },
): Promise<BootChoice> {
  if (server === null || mac === undefined) throw new Error('nobody to ask');
  const choice = await askChoice(server, mac);
  const head = await fetchPart(`${choice.directory}/vmlinuz?here`, `0-${KERNEL_HEAD_BYTES - 1}`);
  const build = kernelImageBuild(head.bytes);
  if (build === undefined || !build.startsWith(`${uname.release} `) || !build.endsWith(uname.version))
    throw new Error(`${choice.image.name} has another kernel than the one that runs`);
  const own = join(lower, 'boot/viverrd.zst');
  const tail = await fetchPart(`${choice.directory}/viverrd.zst?here`, `-${TAIL_BYTES}`);
  if (!existsSync(own) || statSync(own).size !== tail.totalBytes || !(await tailOf(own)).equals(tail.bytes))
    throw new Error(`${choice.image.name} has another initrd than the one that runs`);
  return choice;
}

/**
 * Has this machine end cleanly, and begin anew in its initramfs with what `found` names. Returns when the shutdown has begun.
 * @throws Error when it does not begin
 */
export function change({ server }: ChangeFacts, { commandLine }: BootChoice): void {
  askAgain({ server: server ?? '', commandLine });
  const { status, error } = spawnSync('systemctl', ['reboot'], { stdio: 'inherit' });
  if (status === 0) return;
  forgetAgain();
  throw new Error(`systemctl reboot: ${error?.message ?? `exit status ${status}`}`);
}

async function askChoice(server: string, mac: string): Promise<BootChoice> {
  try {
    return parseBootChoice(await fetchText(server, `${scriptPath(mac)}&look`, ANSWER_MS, LARGEST_SCRIPT), mac);
  } catch (error) {
    throw new Error(`the boot server ${server}: ${describeError(error)}`, { cause: error });
  }
}

function runningKernel(): RunningFiles['uname'] {
  const of = (name: string) => readFileSync(`/proc/sys/kernel/${name}`, 'utf8').trim();
  return { release: of('osrelease'), version: of('version') };
}

async function tailOf(path: string): Promise<Buffer> {
  await using file = await open(path);
  const { size } = await file.stat();
  const { buffer, bytesRead } = await file.read(
    Buffer.alloc(TAIL_BYTES),
    0,
    TAIL_BYTES,
    Math.max(0, size - TAIL_BYTES),
  );
  return buffer.subarray(0, bytesRead);
}

interface FilePart {
  readonly bytes: Buffer;
  readonly totalBytes: number;
}

/** @param range of bytes, RFC 9110 section 14.1.2; at most 64 KiB */
function fetchPart(url: string, range: string): Promise<FilePart> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => reject(new Error(`${url}: ${describeError(cause)}`, { cause }));
    const headers = { Range: `bytes=${range}` };
    const request = get(url, { headers, agent: false, signal: AbortSignal.timeout(ANSWER_MS) });
    request.once('error', fail);
    request.once('response', (response) => {
      const total = /^bytes \d+-\d+\/(\d{1,15})$/.exec(response.headers['content-range'] ?? '')?.[1];
      if (response.statusCode !== 206 || total === undefined) {
        request.destroy(new Error(`status ${response.statusCode} for a part of the file`));
        return;
      }
      const parts: Buffer[] = [];
      let length = 0;
      response.on('error', fail);
      response.on('data', (part: Buffer) => {
        parts.push(part);
        length += part.length;
        if (length > KERNEL_HEAD_BYTES) request.destroy(new Error('more than was asked for'));
      });
      response.once('end', () => resolve({ bytes: Buffer.concat(parts), totalBytes: Number(total) }));
    });
  });
}
