/**
 * SELinux on the union. Labels of a tmpfs are not kept in its extended attributes but by the kernel, and what it knew
 * before it had a policy is lost: an upper layer in RAM would be `tmpfs_t` from its root down. So the image's policy is
 * loaded here, as systemd will load it again, permissive until then; what is written is labelled as the image says; and
 * nothing else is, least of all the whole system.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { bindMount, MNT, type MountRequest, mount, umount } from '../linux/mount.ts';
import { getXattr } from '../linux/xattr.ts';

export const LABEL = 'security.selinux';
const SELINUXFS = '/sys/fs/selinux';

export interface SelinuxConfig {
  readonly mode: 'enforcing' | 'permissive' | 'disabled';
  /** The policy's name, a directory below /etc/selinux. */
  readonly type: string;
}

/** /etc/selinux/config, selinux_config(5), with what the kernel's command line says above it. Pure. */
export function parseSelinuxConfig(text: string, commandLine: string): SelinuxConfig {
  const said = (key: string) => new RegExp(`^\\s*${key}\\s*=\\s*([\\w-]+)`, 'm').exec(text)?.[1];
  const word = /(?:^|\s)enforcing=([01])(?=\s|$)/.exec(commandLine)?.[1];
  const chosen = said('SELINUX')?.toLowerCase();
  const mode = chosen === 'enforcing' || chosen === 'permissive' ? chosen : 'disabled';
  const asked = word === '1' ? 'enforcing' : 'permissive';
  return { mode: mode === 'disabled' || word === undefined ? mode : asked, type: said('SELINUXTYPE') ?? 'targeted' };
}

/** The newest policy the kernel can read; undefined when there is none. Pure. */
export function choosePolicy(names: readonly string[], newest: number): string | undefined {
  const versions = names.flatMap((name) => /^policy\.(\d+)$/.exec(name)?.[1] ?? []).map(Number);
  const usable = versions.filter((version) => version <= newest).sort((a, b) => b - a);
  return usable[0] === undefined ? undefined : `policy.${usable[0]}`;
}

export interface Selinux {
  readonly config: SelinuxConfig;
  /** What the image's init will run as; undefined when its file has no label. */
  readonly initContext: string | undefined;
}

const textOf = (path: string) => readFileSync(path, 'utf8').replace(/[\0\n]+$/, '');

/** The context that a program gets: security_compute_create(3), a question and its answer through one descriptor. */
function contextOf(programLabel: string): string {
  const file = openSync(join(SELINUXFS, 'create'), 'r+');
  try {
    const process = textOf(join(SELINUXFS, 'class/process/index'));
    writeSync(file, `${textOf('/proc/self/attr/current')} ${programLabel} ${process}`);
    const answer = Buffer.alloc(4096);
    return answer
      .subarray(0, readSync(file, answer, 0, answer.length, 0))
      .toString()
      .replace(/[\0\n]+$/, '');
  } finally {
    closeSync(file);
  }
}

/**
 * Loads the image's policy, permissive.
 * @param image where the image is mounted
 * @param init gives its init there, all links followed
 * @returns undefined when the kernel runs without SELinux or the image does not use it
 * @throws Error when the policy cannot be loaded
 */
export function startSelinux(image: string, init: () => string, commandLine: string): Selinux | undefined {
  if (!/\bselinuxfs$/m.test(readFileSync('/proc/filesystems', 'utf8'))) return undefined;
  const file = join(image, 'etc/selinux/config');
  const config = parseSelinuxConfig(existsSync(file) ? readFileSync(file, 'utf8') : '', commandLine);
  const directory = join(image, 'etc/selinux', config.type, 'policy');
  if (config.mode === 'disabled' || !existsSync(directory)) return undefined;
  if (!existsSync(join(SELINUXFS, 'load'))) mount({ source: 'selinuxfs', target: SELINUXFS, type: 'selinuxfs' });
  const newest = Number(readFileSync(join(SELINUXFS, 'policyvers'), 'utf8'));
  const policy = choosePolicy(readdirSync(directory), newest);
  if (policy === undefined)
    throw new Error(`SELinux: this kernel reads policies up to ${newest}; ${directory} has none`);
  const label = getXattr(init(), LABEL)?.toString().replace(/\0$/, '');
  // the kernel enforces from the first policy on when enforcing=1 says so: then what follows here would be refused
  writeFileSync(join(SELINUXFS, 'enforce'), '0');
  writeFileSync(join(SELINUXFS, 'load'), readFileSync(join(directory, policy)));
  allowCompilers();
  return { config, initContext: label === undefined ? undefined : contextOf(label) };
}

/** VIVER's own programs compile code while they run, the one below the root among them. It stays on over systemd's load. */
function allowCompilers(): void {
  const boolean = join(SELINUXFS, 'booleans/allow_execmem');
  if (!existsSync(boolean)) return;
  writeFileSync(boolean, '1');
  writeFileSync(join(SELINUXFS, 'commit_pending_bools'), '1');
}

/**
 * Mounts the union as the image's init would. Every file of an overlay is opened with the rights of who mounted it, so
 * each program that maps one uses a descriptor of that domain: init's may be used by all, the kernel's by few. A process
 * with threads cannot change its own context, so a program of one thread does it.
 */
export function mountInContext(context: string, { source, target, type = '', data = '' }: MountRequest): void {
  writeFileSync('/proc/thread-self/attr/exec', context);
  const words = ['mount', '-t', type, '-o', data, source, target];
  const { status, stderr, error } = spawnSync('/bin/busybox', words, { encoding: 'utf8' });
  writeFileSync('/proc/thread-self/attr/exec', '\n');
  if (error !== undefined) throw new Error(`SELinux: ${source} on ${target}`, { cause: error });
  if (status !== 0) throw new Error(`SELinux: ${source} on ${target} as ${context}: ${stderr.trim()}`);
}

/** Where the image's program that knows its labels may be. */
const RESTORECON = ['/sbin/restorecon', '/usr/sbin/restorecon'];

/** Every file, link and directory of the upper layer that was changed since `sinceMs`; below the root, itself left out. */
export function writtenSince(
  sinceMs: number,
  upper: string,
  lstat: (path: string) => { ctimeMs: number; isDirectory(): boolean },
): string[] {
  const found: string[] = [];
  const see = (directory: string) => {
    for (const name of readdirSync(join(upper, directory))) {
      const path = `${directory}/${name}`;
      const stat = lstat(join(upper, path));
      if (stat.ctimeMs >= sinceMs) found.push(path);
      if (stat.isDirectory()) see(path);
    }
  };
  see('');
  return found;
}

/**
 * Labels files as the image's own file_contexts say, by its own restorecon(8).
 * @param paths below the root; directories are not descended into
 * @throws Error with what restorecon said
 */
export function relabel(root: string, paths: readonly string[]): void {
  const program = RESTORECON.find((path) => existsSync(join(root, path)));
  if (program === undefined)
    throw new Error(`SELinux: the image has no restorecon; ${paths.length} files have the label of their directory`);
  using undo = new DisposableStack();
  for (const directory of ['/proc', '/sys']) {
    mkdirSync(join(root, directory), { recursive: true });
    bindMount(directory, join(root, directory), true);
    undo.defer(() => umount(join(root, directory), MNT.DETACH));
  }
  const { status, stderr, error } = spawnSync('/bin/busybox', ['chroot', root, program, '-F', '-i', '-f', '-'], {
    input: `${paths.join('\n')}\n`,
    encoding: 'utf8',
  });
  if (error !== undefined) throw new Error(`SELinux: ${program} does not start`, { cause: error });
  if (status !== 0) throw new Error(`SELinux: ${program}: ${stderr.trim().split('\n').at(-1) ?? `status ${status}`}`);
}

/** systemd turns enforcing on by itself; for who does not, it is the last thing before it takes over. */
export function enforce({ config }: Selinux): void {
  if (config.mode === 'enforcing') writeFileSync(join(SELINUXFS, 'enforce'), '1');
}
