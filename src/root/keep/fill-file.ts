import { execFile } from 'node:child_process';
import { closeSync, fsyncSync, openSync, write } from 'node:fs';
import { promisify } from 'node:util';

const PIECE_BYTES = 1024 * 1024;
/** Nobody waits longer for the first boot with kept changes; a slow medium gets a smaller file. */
const LONGEST_MS = 60_000;

export interface FillRequest {
  readonly path: string;
  readonly sizeBytes: number;
  /** A file with fewer is of no use. */
  readonly leastBytes: number;
  readonly onProgress: (done: { readonly copiedBytes: number; readonly totalBytes: number }) => void;
  readonly longestMs?: number;
  /** Gives the file all its blocks at once; false where the file system cannot. */
  readonly reserve?: (path: string, sizeBytes: number) => Promise<boolean>;
}

/**
 * A file all of whose blocks are its own, so that no write into it can fail for want of room: reserved where the file
 * system can reserve, else written full of zeroes, and then as large as a minute allows.
 * @returns its size
 * @throws Error when the medium is full or fails
 */
export async function fillFile(request: FillRequest): Promise<number> {
  const { path, sizeBytes, onProgress, longestMs = LONGEST_MS, reserve = fallocate } = request;
  if (await reserve(path, sizeBytes)) return sizeBytes;
  const startedMs = performance.now();
  const zeroes = Buffer.alloc(PIECE_BYTES);
  const fd = openSync(path, 'w');
  try {
    let written = 0;
    while (written + PIECE_BYTES <= sizeBytes) {
      const isLate = performance.now() - startedMs > longestMs;
      if (isLate && written >= request.leastBytes) break;
      await new Promise<void>((resolve, reject) => {
        write(fd, zeroes, 0, PIECE_BYTES, written, (error, count) => {
          if (error !== null) reject(error);
          else if (count !== PIECE_BYTES) reject(new Error(`write ${path}: the medium is full`));
          else resolve();
        });
      });
      written += PIECE_BYTES;
      // What is only in the cache tells nothing of the medium's speed.
      if (written % (16 * PIECE_BYTES) === 0) fsyncSync(fd);
      onProgress({ copiedBytes: written, totalBytes: sizeBytes });
    }
    fsyncSync(fd);
    return written;
  } finally {
    closeSync(fd);
  }
}

/** fallocate(2), by BusyBox; false where the file system knows no such thing, or has no room. */
export async function fallocate(path: string, sizeBytes: number): Promise<boolean> {
  closeSync(openSync(path, 'w'));
  try {
    await promisify(execFile)('/bin/busybox', ['fallocate', '-l', String(sizeBytes), path]);
    return true;
  } catch {
    return false; // FAT and exFAT; where it is for want of room, the zeroes find that out too
  }
}
