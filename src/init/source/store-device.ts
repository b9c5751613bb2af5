import { existsSync, mkdirSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { isImageName } from '../../image/image-name.ts';
import { describeError } from '../../linux/describe-error.ts';
import { MS, mount } from '../../linux/mount.ts';
import { type CowDevice, planDeviceCow } from '../../root/cow.ts';
import type { BootLog } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';
import type { Drivers } from '../drivers/drivers.ts';
import { PRIVATE_DIRECTORY } from '../trust/private-directory.ts';
import { findNamedDevice } from './find-cow-device.ts';

/** Chunks on a local disk, kept over reboots. */
export interface KeptStore {
  /** The directory, as this process sees it. */
  readonly path: string;
  /** Bytes of chunks that may be there. */
  readonly keepBytes: number;
  /** The image that ran from it last; undefined when none did. */
  readonly last: { readonly name: string; readonly id: string } | undefined;
}

const MOUNTPOINT = `${PRIVATE_DIRECTORY}/store`;
/** Of what the disk has free, and of what the store has already, it takes no more than this: other files have to live too. */
const SHARE = 0.9;
/** A disk that is named is waited for this long; the boot goes on without. */
const WAIT_MS = 5000;

/** Room for a store: what is free and what is already its own. Pure. */
export function planKeep(freeBytes: number, ownBytes: number): number {
  return Math.floor((freeBytes + ownBytes) * SHARE);
}

/**
 * ext4 gives a file's bytes their place half a minute after its name: a power cut meanwhile leaves names with nothing behind
 * them. Without that (mount options of ext4(5)) all but the last 5 s is there. Pure.
 */
export function storeMountOptions({ type, data }: { readonly type: string; readonly data: string }): string {
  return [data, type === 'ext4' ? 'nodelalloc' : ''].filter((word) => word !== '').join(',');
}

/** What the daemon wrote of the image that ran last: `ID NAME`. Undefined: nothing that can be believed. Pure. */
export function parseLast(text: string): KeptStore['last'] {
  const [, id, name] = /^([0-9a-f]{64}) (\S{1,200})\n?$/.exec(text) ?? [];
  return id === undefined || name === undefined || !isImageName(name) ? undefined : { id, name };
}

/**
 * The store of `viver.store=`, mounted. It makes a boot faster or possible, and never fails one: without the disk, or with
 * one that nothing can be written to, the boot goes on and says so.
 */
export async function openStore(
  { store }: Pick<BootOptions, 'store'>,
  drivers: Drivers,
  log: BootLog,
): Promise<KeptStore | undefined> {
  if (store === undefined) return undefined;
  try {
    const device = await findNamedDevice('viver.store', store, drivers, WAIT_MS, [
      'without it every boot fetches the image anew',
    ]);
    const kept = await mountStore(device, drivers);
    log.choose(`store ${device.path}`, describe(kept));
    return kept;
  } catch (error) {
    log.warn(`viver.store=${store}: ${describeError(error)}; nothing is kept over this boot`);
    return undefined;
  }
}

/** The image that a boot wants, when the store can begin it without anybody: its index is there. */
export function imageIn({ path, last }: KeptStore, wanted: BootOptions['image']): KeptStore['last'] {
  const image = wanted?.id === undefined ? last : { name: wanted.name, id: wanted.id };
  if (image === undefined || (wanted !== undefined && wanted.name !== image.name)) return undefined;
  return existsSync(join(path, `${image.id}.caibx`)) ? image : undefined;
}

async function mountStore(device: CowDevice, drivers: Drivers): Promise<KeptStore> {
  const plan = planDeviceCow(device, 'viver.store');
  const { type } = plan;
  const data = storeMountOptions(plan);
  await drivers.ensureModules([type]);
  mkdirSync(MOUNTPOINT, { recursive: true, mode: 0o700 });
  // A journal that a power cut left is replayed by the mount; what the chunks are is checked when they are read.
  mount({ source: device.path, target: MOUNTPOINT, type, flags: MS.NOATIME | MS.NOSUID | MS.NODEV | MS.NOEXEC, data });
  const path = join(MOUNTPOINT, 'viver/store');
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { bavail, bsize } = statfsSync(MOUNTPOINT);
  return { path, keepBytes: planKeep(bavail * bsize, numberIn(join(path, 'bytes'))), last: lastIn(join(path, 'last')) };
}

function lastIn(path: string): KeptStore['last'] {
  try {
    return parseLast(readFileSync(path, 'latin1'));
  } catch {
    return undefined; // nothing ran from it yet
  }
}

/** How much the daemon had there when it last looked; a wrong number makes the store smaller or larger, and nothing else. */
function numberIn(path: string): number {
  try {
    const text = readFileSync(path, 'latin1').trim();
    return /^\d{1,15}$/.test(text) ? Number(text) : 0;
  } catch {
    return 0; // a store that begins
  }
}

function describe({ keepBytes, last }: KeptStore): string {
  const of = last === undefined ? 'nothing ran from it yet' : `${last.name}@${last.id.slice(0, 12)} ran from it last`;
  return `keeps up to ${Math.floor(keepBytes / 2 ** 20)} MiB of chunks; ${of}`;
}
