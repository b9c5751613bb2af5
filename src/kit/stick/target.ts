import { closeSync, openSync, readdirSync, readFileSync, readSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readBlockDevice } from '../../linux/block/block.ts';
import { hasCode } from '../../linux/errno.ts';
import { SECTOR_BYTES } from '../../root/keep/mbr.ts';
import { isSame } from '../output-file.ts';
import { type DiskFacts, ISO_START_BYTES } from './stick-plan.ts';

/** A disk, or a file in place of one. */
export interface Target {
  readonly path: string;
  readonly isDevice: boolean;
  readonly sizeBytes: number;
  /** `SanDisk Ultra, usb`; of a file that it is one. */
  readonly description: string;
  /** Of a disk: its number among all that this kernel ever saw, which another one at the same name has not. */
  readonly sequence?: string;
}

/**
 * What images may be written to.
 * @param anyDisk disks that cannot be taken out are taken as well
 * @throws Error saying why it is refused, and what to do
 */
export function openTarget(path: string, anyDisk: boolean): Target {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new Error(`${path}: there is no such disk; a file must be there in its full size (truncate -s 8G ${path})`);
  if (stat.isFile()) refuseFile(path, stat);
  if (stat.isFile()) return { path, isDevice: false, sizeBytes: stat.size, description: 'a file' };
  if (!stat.isBlockDevice()) throw new Error(`${path} is neither a disk nor a file`);
  const number = `${(stat.rdev >> 8) & 0xfff}:${(stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00)}`;
  const directory = realpathSync(join('/sys/dev/block', number));
  const name = basename(directory);
  if (textOf(join(directory, 'partition')) !== undefined) {
    throw new Error(`${path} is a partition: name the whole disk, /dev/${basename(join(directory, '..'))}`);
  }
  const inUse = usesOf(directory);
  if (inUse.length > 0) throw new Error(`${path} is in use (${inUse.join(', ')}): unmount it first`);
  const { sizeBytes, logicalBlockSize, readOnly } = readBlockDevice(path);
  if (sizeBytes === 0) throw new Error(`${path}: there is no medium in it`);
  if (readOnly) throw new Error(`${path} is write-protected`);
  if (logicalBlockSize !== SECTOR_BYTES)
    throw new Error(`${path}: its sectors have ${logicalBlockSize} bytes; disks with 512 can be made to boot`);
  const kind = kindOf(directory);
  if (!kind.removable && !anyDisk)
    throw new Error(`${path} cannot be taken out (${kind.text}): --any-disk takes it all the same`);
  const model = textOf(join(directory, 'device/model')) ?? textOf(join(directory, 'device/name')) ?? name;
  const sequence = textOf(join(directory, 'diskseq'));
  return {
    path,
    isDevice: true,
    sizeBytes,
    description: `${model}, ${kind.text}`,
    ...(sequence === undefined ? {} : { sequence }),
  };
}

/** Files that are surely not meant: an image, when the disk was forgotten, and what a loop device has open. */
function refuseFile(path: string, stat: Stats): void {
  const magic = Buffer.alloc(4);
  const fd = openSync(path, 'r');
  try {
    readSync(fd, magic, 0, 4, 0);
  } finally {
    closeSync(fd);
  }
  if (magic.toString('latin1') === 'hsqs')
    throw new Error(`${path} is an image itself and would be lost: the last word is the disk to write to`);
  for (const name of readdirSync('/sys/block')) {
    const backing = textOf(join('/sys/block', name, 'loop/backing_file'));
    if (backing !== undefined && isSame(statSync(backing, { throwIfNoEntry: false }), stat))
      throw new Error(`${path} is in use (/dev/${name}): detach it first, or name /dev/${name}`);
  }
}

/**
 * A person may take minutes to answer, and may have put in another disk meanwhile.
 * @throws Error when what now has the name is another disk
 */
export function requireSameDisk(target: Target): void {
  const now = statSync(target.path);
  const number = `${(now.rdev >> 8) & 0xfff}:${(now.rdev & 0xff) | ((now.rdev >> 12) & 0xfff00)}`;
  const sequence = textOf(join('/sys/dev/block', number, 'diskseq'));
  if (sequence !== target.sequence || readBlockDevice(target.path).sizeBytes !== target.sizeBytes)
    throw new Error(`${target.path} is another disk now: nothing was written; start again`);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined; // not every disk has every attribute
  }
}

function kindOf(directory: string): { readonly removable: boolean; readonly text: string } {
  if (directory.includes('/usb')) return { removable: true, text: 'usb' };
  if (textOf(join(directory, 'device/type')) === 'SD') return { removable: true, text: 'SD card' };
  if (textOf(join(directory, 'removable')) === '1') return { removable: true, text: 'removable' };
  return { removable: false, text: directory.includes('/virtual/') ? 'virtual' : 'a fixed disk' };
}

/** What uses a disk or a partition of it: mounts, swap, device mapper, RAID. */
function usesOf(directory: string): string[] {
  const parts = [directory, ...readdirSync(directory).map((name) => join(directory, name))].filter(
    (path) => textOf(join(path, 'dev')) !== undefined,
  );
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const swaps = readFileSync('/proc/swaps', 'utf8');
  return parts.flatMap((part) => {
    const number = textOf(join(part, 'dev'));
    const name = basename(part);
    const mounted = mounts.filter(([, , device]) => device === number).map(([, , , , at]) => `/dev/${name} on ${at}`);
    const swapped = swaps.split('\n').some((line) => line.startsWith(`/dev/${name} `)) ? [`swap on /dev/${name}`] : [];
    const holders = textOfDirectory(join(part, 'holders')).map((holder) => `/dev/${name} by ${holder}`);
    return [...mounted, ...swapped, ...holders];
  });
}

function textOfDirectory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    // A kind of disk that nothing can be put on has no such directory; what cannot be read may well be in use.
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** What is on it now. */
export function readDisk({ path, sizeBytes }: Target): DiskFacts {
  const read = (offset: number, length: number): Uint8Array => {
    const bytes = Buffer.alloc(length);
    const fd = openSync(path, 'r');
    try {
      return bytes.subarray(0, readSync(fd, bytes, 0, length, offset));
    } finally {
      closeSync(fd);
    }
  };
  return { sizeBytes, start: read(0, ISO_START_BYTES), sectorAt: (offset) => read(offset, SECTOR_BYTES) };
}
