/** The block daemon `@viver-field` as /init starts it: under a supervisor, in the initramfs, for as long as the machine lives. */
import type { ChildProcess } from 'node:child_process';
import { chmodSync, closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { askStatus } from '../../field/control.ts';
import type { FieldStatus } from '../../field/status.ts';
import { OMIT_DIRECTORY, startSupervisor, UNTIL_NETWORK } from '../../nbd/supervisor.ts';
import type { BootOptions } from '../command-line.ts';

export const FIELD_SOCKET = '/run/viver/field.sock';
export const FIELD_DEVICE = '/dev/nbd0';
export const FIELD_SYSFS = '/sys/block/nbd0';

/** A person may put a field's key into the initrd: only nodes that have it too are in that field. */
const FIELD_KEY = '/etc/viver/field.key';

export function fieldKeyFile(): string | undefined {
  return existsSync(FIELD_KEY) ? FIELD_KEY : undefined;
}

/** Readable by root alone, however it was put into the archive: the initramfs stays reachable on the booted system. */
export function closeFieldKey(path = FIELD_KEY): void {
  if (existsSync(path)) chmodSync(path, 0o400);
}

export interface FieldDaemonRequest {
  readonly name: string;
  /** Image id; undefined: whatever `imagePath` has. */
  readonly id: string | undefined;
  /** The image on a medium or in RAM of this machine; undefined: all of it comes from others. */
  readonly imagePath: string | undefined;
  /** Its index, where that does not lie beside the image. */
  readonly indexPath?: string | undefined;
  /** `ADDRESS` or `ADDRESS:PORT`. */
  readonly peers: readonly string[];
  readonly origins: readonly string[];
  /** Where chunks are kept over reboots, and how many bytes of them. */
  readonly store?: { readonly path: string; readonly keepBytes: number } | undefined;
  /** Where a daemon without a store leaves what it has in memory to the next system's, and takes it over from the last. */
  readonly carried?: string | undefined;
  /** `UP[/DOWN]`, bytes per second. */
  readonly limit: string | undefined;
  /** Which room this machine is in. */
  readonly site?: string | undefined;
  readonly keyFile: string | undefined;
  /** Public keys of the initrd: no image from others counts that is not signed by one of them. */
  readonly keysDirectory?: string | undefined;
  /** The root is to lie on it: the image becomes /dev/nbd0. */
  readonly hasDevice: boolean;
}

/** The daemon's command line, in the initramfs. Pure. */
export function fieldCommand(request: FieldDaemonRequest): readonly string[] {
  const { name, id, imagePath, indexPath, peers, origins, store, carried, limit, site } = request;
  const { keyFile, keysDirectory, hasDevice } = request;
  return [
    ...['/init', 'field', 'up', '--name', name, '--control', FIELD_SOCKET],
    ...(id === undefined ? [] : ['--id', id]),
    // Through process 1, since what is mounted below /run moves to the image's root with it.
    ...(imagePath === undefined ? [] : ['--image', seenFromInitramfs(imagePath)]),
    ...(indexPath === undefined ? [] : ['--index', seenFromInitramfs(indexPath)]),
    ...peers.flatMap((peer) => ['--peer', peer]),
    ...origins.flatMap((origin) => ['--origin', origin]),
    ...(store === undefined ? [] : ['--store', seenFromInitramfs(store.path), '--keep', String(store.keepBytes)]),
    ...(carried === undefined ? [] : ['--carried', carried]),
    ...(limit === undefined ? [] : ['--limit', limit]),
    ...(site === undefined ? [] : ['--site', site]),
    ...(keyFile === undefined ? [] : ['--key', keyFile]),
    ...(keysDirectory === undefined ? [] : ['--keys', keysDirectory]),
    ...(hasDevice ? ['--nbd', FIELD_DEVICE] : []),
  ];
}

function seenFromInitramfs(path: string): string {
  return path.startsWith('/dev/') ? path : `/proc/1/root${path}`;
}

/** What a machine that has the image itself gives to its field. */
export function localDaemon(
  image: { readonly name: string; readonly id: string; readonly path: string; readonly indexPath?: string | undefined },
  {
    peers,
    origins,
    limit,
    site,
  }: Pick<BootOptions, 'peers' | 'origins' | 'limit'> & Partial<Pick<BootOptions, 'site'>>,
  hasDevice: boolean,
): FieldDaemonRequest {
  const { name, id, path, indexPath } = image;
  // A name could be looked up only with a network, and this machine does not depend on its peers.
  const numeric = peers.filter((peer) => peer.startsWith('[') || isIP(peer.split(':')[0] ?? '') === 4);
  return {
    name,
    id,
    imagePath: path,
    indexPath,
    peers: numeric,
    origins,
    limit,
    site,
    keyFile: fieldKeyFile(),
    hasDevice,
  };
}

const POLL_MS = 50;
const STATUS_EVERY_MS = 2000;
/** It hands over what only it holds. */
const STOP_MS = 15_000;

export class FieldDaemon {
  #request: FieldDaemonRequest;
  #supervisor: ChildProcess;

  constructor(request: FieldDaemonRequest, supervisor: ChildProcess) {
    this.#request = request;
    this.#supervisor = supervisor;
  }

  get request(): FieldDaemonRequest {
    return this.#request;
  }

  /** The image has moved to another path: ends it and starts it there. Its device, not in use yet, comes anew. */
  async moveTo(imagePath: string): Promise<void> {
    await this.stop();
    this.#request = { ...this.#request, imagePath };
    this.#supervisor = startDaemon(this.#request, 'now');
  }

  /**
   * Waits until the device holds the image.
   * @param onStatus gets what the daemon knows, now and then; undefined while it does not answer
   * @throws what `signal` aborts with
   */
  async device(signal: AbortSignal, onStatus: (status: FieldStatus | undefined) => void): Promise<string> {
    let askedMs = performance.now();
    while (!isConnected(this.#request.id)) {
      signal.throwIfAborted();
      await sleep(POLL_MS);
      if (performance.now() - askedMs < STATUS_EVERY_MS) continue;
      askedMs = performance.now();
      onStatus(await askStatus(FIELD_SOCKET).catch(() => undefined));
    }
    return FIELD_DEVICE;
  }

  /**
   * Ends it: it leaves the field and gives up its device, once that is not mounted.
   * @throws Error when it does not within its time: it is killed then
   */
  async stop(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#supervisor;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const ended = new Promise<'ended'>((resolve) => this.#supervisor.once('exit', () => resolve('ended')));
    this.#supervisor.ref();
    this.#supervisor.kill('SIGTERM');
    if ((await Promise.race([ended, sleep(STOP_MS)])) === 'ended') return;
    process.kill(-pid, 'SIGKILL'); // the loop and the daemon are a group of their own
    throw new Error(`it did not end within ${STOP_MS / 1000} s of being told to, and was killed`);
  }
}

/** The kernel shows `backend` as long as the device is connected (drivers/block/nbd.c). */
function isConnected(id: string | undefined): boolean {
  const backend = `${FIELD_SYSFS}/backend`;
  if (!existsSync(backend) || readFileSync(backend, 'utf8').trim() !== id) return false;
  return Number(readFileSync(`${FIELD_SYSFS}/size`, 'utf8')) > 0;
}

/** The kernel's log: it outlives this process, which standard output would not. With printk.devkmsg=off it takes nothing. */
function openKernelLog(): number {
  try {
    return openSync('/dev/kmsg', 'w');
  } catch {
    return openSync('/dev/null', 'w');
  }
}

/**
 * Starts the daemon.
 * @param when `now`, or as soon as the machine has a network, whoever brings that up
 */
export function startFieldDaemon(request: FieldDaemonRequest, when: DaemonStart): FieldDaemon {
  return new FieldDaemon(request, startDaemon(request, when));
}

type DaemonStart = 'now' | 'with the network';

function startDaemon(request: FieldDaemonRequest, when: DaemonStart): ChildProcess {
  const log = openKernelLog();
  try {
    return startSupervisor(
      {
        command: fieldCommand(request),
        name: '@viver-field',
        busybox: '/bin/busybox',
        omitDirectory: OMIT_DIRECTORY,
        ...(when === 'now' ? {} : { after: UNTIL_NETWORK }),
      },
      ['ignore', log, log],
    );
  } finally {
    closeSync(log);
  }
}
