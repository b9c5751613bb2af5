import { createHash } from 'node:crypto';
import { closeSync, constants, fsync, openSync, write } from 'node:fs';
import { flushBuffers, openDirect, rereadPartitions } from '../../linux/block/block.ts';
import { SECTOR_BYTES } from '../../root/keep/mbr.ts';
import { type StickPlan, stickSector } from './stick-plan.ts';
import { requireSameDisk, type Target } from './target.ts';

const PIECE_BYTES = 4 * 1024 * 1024;
/** Where RAID, ZFS and a GPT's copy leave their signatures: what had them is not to be taken for what it was. */
const TAIL_BYTES = 1024 * 1024;

export interface WriteRequest {
  readonly target: Target;
  readonly plan: StickPlan;
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly isoBytes: number;
  readonly onWritten: (done: number, total: number) => void;
  readonly onChecked: (done: number, total: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Writes the ISO and reads it back. The first sector comes last: a disk that was not written to its end does not boot, and
 * the changes kept behind the image are found again by their mark.
 * @returns lines of what a person should know
 * @throws Error when the disk is in use, fails, or reads back other bytes
 */
export async function writeStick(request: WriteRequest): Promise<string[]> {
  const { target, plan, isoBytes, signal } = request;
  // The kernel refuses a second user of a disk that is opened so: nobody mounts it meanwhile.
  const flags = constants.O_RDWR | (target.isDevice ? constants.O_EXCL : 0);
  const fd = openExclusive(target.path, flags);
  const hash = createHash('sha256');
  try {
    if (target.isDevice) requireSameDisk(target);
    let first: Uint8Array = new Uint8Array();
    let done = 0;
    for await (const piece of inPieces(request.chunks)) {
      signal.throwIfAborted();
      if (done + piece.length > isoBytes)
        throw new Error(`the ISO is larger than the ${isoBytes} bytes it was to have`);
      if (done === 0) {
        // Not before there is something to write: when the ISO cannot be made, the disk is as it was.
        await writeAt(fd, Buffer.alloc(SECTOR_BYTES), 0, target.path);
        first = stickSector(piece.subarray(0, SECTOR_BYTES), plan.kept);
        hash.update(first).update(piece.subarray(SECTOR_BYTES));
        await writeAt(fd, piece.subarray(SECTOR_BYTES), SECTOR_BYTES, target.path);
      } else {
        hash.update(piece);
        await writeAt(fd, piece, done, target.path);
      }
      done += piece.length;
      // What is only in the cache tells nothing of the medium's speed.
      if (target.isDevice) await synced(fd);
      request.onWritten(done, isoBytes);
    }
    const tail = target.sizeBytes - TAIL_BYTES;
    for (const place of plan.staleMarks) await writeAt(fd, Buffer.alloc(SECTOR_BYTES), place, target.path);
    if (!plan.isUpdate && tail > done) await writeAt(fd, Buffer.alloc(TAIL_BYTES), tail, target.path);
    await synced(fd);
    await writeAt(fd, first, 0, target.path);
    await synced(fd);
    if (target.isDevice) flushBuffers(target.path);
    await check(target.path, done, hash.digest('hex'), request);
  } finally {
    closeSync(fd);
  }
  return target.isDevice ? tellKernel(target.path) : [];
}

function openExclusive(path: string, flags: number): number {
  try {
    return openSync(path, flags);
  } catch (cause) {
    throw new Error(`cannot write to ${path}: it is in use, or root is needed`, { cause });
  }
}

function tellKernel(path: string): string[] {
  try {
    rereadPartitions(path);
    return [];
  } catch {
    return [`the kernel still has the old partitions of ${path}: take it out and put it in again`];
  }
}

async function check(
  path: string,
  length: number,
  expected: string,
  { onChecked, signal }: WriteRequest,
): Promise<void> {
  const hash = createHash('sha256');
  await using file = await openDirect(path);
  for (let offset = 0; offset < length; ) {
    signal.throwIfAborted();
    const bytes = await file.read(offset, Math.min(PIECE_BYTES, length - offset));
    if (bytes.length === 0) throw new Error(`${path} ends at byte ${offset}: it is smaller than it says`);
    hash.update(bytes);
    offset += bytes.length;
    onChecked(offset, length);
  }
  if (hash.digest('hex') !== expected)
    throw new Error(
      `${path} does not give back what was written to it: the medium is damaged, or smaller than it says`,
    );
}

async function* inPieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    length += chunk.length;
    if (length < PIECE_BYTES) continue;
    const bytes = Buffer.concat(parts);
    yield bytes.subarray(0, PIECE_BYTES);
    parts = [bytes.subarray(PIECE_BYTES)];
    length -= PIECE_BYTES;
  }
  if (length > 0) yield Buffer.concat(parts);
}

async function writeAt(fd: number, bytes: Uint8Array, position: number, path: string): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += await new Promise<number>((resolve, reject) => {
      write(fd, bytes, done, bytes.length - done, position + done, (error, count) => {
        if (error === null) resolve(count);
        else reject(new Error(`write ${path} at byte ${position + done}`, { cause: error }));
      });
    });
  }
}

const synced = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => {
    fsync(fd, (error) => (error === null ? resolve() : reject(error)));
  });
