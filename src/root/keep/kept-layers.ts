import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CowImage } from '../cow.ts';
import { fallocate } from './fill-file.ts';

/** Below this a system cannot be expected to run: its logs alone fill it while it starts. */
const LEAST_FREE_BYTES = 16 * 1024 * 1024;
const LEAST_FREE_INODES = 256;

export interface FreeRoom {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly inodes: number;
}

export function readFreeRoom(mountpoint: string): FreeRoom {
  const { bavail, bsize, blocks, ffree } = statfsSync(mountpoint);
  return { bytes: bavail * bsize, totalBytes: blocks * bsize, inodes: ffree };
}

/** Why a system cannot write there any more; undefined while it can. Pure. */
export function isFull({ bytes, totalBytes, inodes }: FreeRoom): string | undefined {
  const mib = (count: number) => `${Math.floor(count / 1024 / 1024)} MiB`;
  if (bytes < LEAST_FREE_BYTES) return `${mib(bytes)} of ${mib(totalBytes)} are free`;
  if (inodes < LEAST_FREE_INODES) return `there is room for ${inodes} more files`;
  return undefined;
}

/**
 * Room that nobody has, to be given back when all else is taken: overlayfs makes a directory when it is mounted, and VIVER
 * writes some files, so that a person can start the system and delete what fills it.
 */
const RESERVE_BYTES = 4 * 1024 * 1024;
const RESERVE = 'viver/reserve';

/** Takes the reserve, unless it is there. @returns false where it could not be had: only a full system misses it */
export async function takeReserve(mountpoint: string): Promise<boolean> {
  const path = join(mountpoint, RESERVE);
  if (existsSync(path)) return true;
  mkdirSync(join(mountpoint, 'viver'), { recursive: true, mode: 0o755 });
  if (await fallocate(path, RESERVE_BYTES)) return true;
  rmSync(path, { force: true });
  return false;
}

export function giveReserve(mountpoint: string): void {
  rmSync(join(mountpoint, RESERVE), { force: true });
}

export interface KeptLayers {
  readonly upper: string;
  readonly work: string;
  /** Whether something was kept for this image before. */
  readonly isNew: boolean;
  /** Which version of the image the changes were made over, when that is another one than now. */
  readonly madeOver: string | undefined;
}

const shortId = (image: CowImage) => (image.id ?? image.superblock).slice(0, 12);

/**
 * The directories for an image's changes, by the image's name: a newer version of it continues with them. Which version
 * lies below is written beside them.
 */
export function openLayers(mountpoint: string, image: CowImage): KeptLayers {
  const directory = join(mountpoint, 'viver/keep', image.name);
  const isNew = !existsSync(join(directory, 'upper'));
  mkdirSync(join(directory, 'upper'), { recursive: true, mode: 0o755 });
  mkdirSync(join(directory, 'work'), { recursive: true, mode: 0o700 });
  const below = join(directory, 'below');
  const before = isNew || !existsSync(below) ? undefined : readFileSync(below, 'utf8').trim();
  const now = shortId(image);
  if (before !== now) {
    writeFileSync(`${below}.new`, `${now}\n`, { flush: true });
    renameSync(`${below}.new`, below);
  }
  const layers = { upper: join(directory, 'upper'), work: join(directory, 'work'), isNew };
  return { ...layers, madeOver: before === now || before === '' ? undefined : before };
}
