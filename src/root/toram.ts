import { constants, mkdirSync, readFileSync } from 'node:fs';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { regularFileBytes } from '../linux/file.ts';
import { type Mounter, mounter } from './mounter.ts';

/** Where the copy lies on a booted machine. */
export const RAM_COPY = '/run/viver/private/image';

const MIB = 1024 * 1024;

/** An index of two million chunks fits, and so does the room for it beside the image. */
const BESIDE_LIMIT = 100 * MIB;

/** What the system must have left besides the image: below that an ordinary boot runs out of memory. */
const RESERVE_BYTES = 192 * MIB;

/** Bytes of RAM that can still be used, from the text of /proc/meminfo (proc_meminfo(5)). */
export function parseMemAvailable(meminfo: string): number {
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo)?.[1];
  if (kib === undefined) throw new Error('/proc/meminfo has no MemAvailable');
  return Number(kib) * 1024;
}

/** @throws Error with the figures when the image would not leave enough memory to run in */
export function checkMemoryFor(imageBytes: number, availableBytes: number): void {
  if (imageBytes + RESERVE_BYTES <= availableBytes) return;
  const mib = (bytes: number) => `${Math.ceil(bytes / MIB)} MiB`;
  throw new Error(
    `viver.toram: the image takes ${mib(imageBytes)} of RAM and the system ${mib(RESERVE_BYTES)}, ` +
      `but only ${mib(availableBytes)} are free; boot without viver.toram`,
  );
}

export interface CopyProgress {
  readonly copiedBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
}

export interface ToRamRequest {
  /** A file, or a block device. */
  readonly source: string;
  /** Bytes of the image from the source's start. */
  readonly sizeBytes: number;
  /** The copy's file name. */
  readonly name: string;
  /** Small files to take along under their own names: the index, the signature. */
  readonly beside: readonly string[];
  /** Where the tmpfs for the copy is mounted. */
  readonly mountpoint: string;
  readonly onProgress?: (progress: CopyProgress) => void;
  /** Gets every byte once, in order, before it counts as copied: verification without a second read. A throw ends it. */
  readonly inspect?: (bytes: Uint8Array, offset: number) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

export interface RamCopy {
  readonly path: string;
  /** Where each file of `beside` is now, by its old path. */
  readonly beside: ReadonlyMap<string, string>;
}

/**
 * Copies an image to RAM, with several reads on their way at once so that the medium never waits.
 * Afterwards nothing of the medium is in use here: the caller unmounts it.
 * @throws Error when there is too little memory, the source is cut short or cannot be read; nothing stays mounted then
 */
export async function copyToRam(request: ToRamRequest, system: Mounter = mounter): Promise<RamCopy> {
  const { source, sizeBytes, name, mountpoint } = request;
  checkMemoryFor(sizeBytes, parseMemAvailable(readFileSync('/proc/meminfo', 'utf8')));
  mkdirSync(mountpoint, { recursive: true });
  const data = `size=${Math.ceil(sizeBytes / MIB) * MIB + 64 * MIB},mode=0755`;
  system.mount({ source: 'viver-image', target: mountpoint, type: 'tmpfs', data });
  try {
    const path = join(mountpoint, name);
    await using from = await open(source, constants.O_RDONLY);
    await using to = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o444);
    await copy(from, to, request);
    const beside = new Map(request.beside.map((file) => [file, join(mountpoint, basename(file))]));
    for (const [old, now] of beside) await writeFile(now, await regularFileBytes(old, BESIDE_LIMIT));
    return { path, beside };
  } catch (error) {
    system.umount(mountpoint);
    throw new Error(`copy ${source} to RAM (${sizeBytes} bytes)`, { cause: error });
  }
}

const PIECE_BYTES = MIB;
const READS_IN_FLIGHT = 4;
const PROGRESS_EVERY_MS = 500;

async function writeFully(to: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await to.write(bytes, written, bytes.length - written, offset + written);
    written += bytesWritten;
  }
}

async function copy(from: FileHandle, to: FileHandle, request: ToRamRequest): Promise<void> {
  const { sizeBytes, signal } = request;
  const buffers = Array.from({ length: READS_IN_FLIGHT }, () => new Uint8Array(PIECE_BYTES));
  const begun = performance.now();
  let saidAt = begun;
  const readPiece = async (offset: number, buffer: Uint8Array): Promise<Uint8Array> => {
    const length = Math.min(PIECE_BYTES, sizeBytes - offset);
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await from.read(buffer, filled, length - filled, offset + filled);
      if (bytesRead === 0) throw new Error(`ends at byte ${offset + filled}`);
      filled += bytesRead;
    }
    return buffer.subarray(0, length);
  };
  const inFlight: Promise<Uint8Array>[] = [];
  const ahead = (offset: number, buffer: Uint8Array): void => {
    const reading = readPiece(offset, buffer);
    reading.catch(() => {}); // the failure shows when its turn comes, or does not matter after an earlier one
    inFlight.push(reading);
  };
  let next = 0;
  for (const buffer of buffers) {
    if (next >= sizeBytes) break;
    ahead(next, buffer);
    next += PIECE_BYTES;
  }
  try {
    for (let offset = 0; offset < sizeBytes; offset += PIECE_BYTES) {
      signal?.throwIfAborted();
      const bytes = await inFlight.shift();
      if (bytes === undefined) throw new Error('a read got lost');
      await request.inspect?.(bytes, offset);
      await writeFully(to, bytes, offset);
      const now = performance.now();
      const copiedBytes = offset + bytes.length;
      if (now - saidAt >= PROGRESS_EVERY_MS || copiedBytes === sizeBytes) {
        saidAt = now;
        request.onProgress?.({
          copiedBytes,
          totalBytes: sizeBytes,
          bytesPerSecond: copiedBytes / ((now - begun) / 1000),
        });
      }
      if (next < sizeBytes) {
        ahead(next, new Uint8Array(bytes.buffer));
        next += PIECE_BYTES;
      }
    }
  } finally {
    await Promise.allSettled(inFlight); // the descriptor is closed only when no read uses it any more
  }
}
