/**
 * Chunks that a machine has in memory, on their way to its next system, which begins without a start of the kernel
 * (docs/roll-out.md): a directory on a file system in memory, with
 *
 *     index.caibx   casync's index of all of them, one behind the other, in any order
 *     0, 1, …       their bytes, cut between chunks into pieces of PIECE_BYTES or a little more
 *
 * A piece goes as soon as all its chunks are taken out of it, so that few of them are in memory twice. The index is written
 * last: without it nothing is there.
 */
import { access, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../linux/errno.ts';
import { CHUNK_SIZE_LIMIT, type ChunkHash, type ChunkIndex, createChunkIndex } from './chunk-index.ts';
import { verifyChunk } from './chunk-source.ts';
import { readIndexFile, writeIndexFile } from './index-file.ts';

const INDEX = 'index.caibx';
export const PIECE_BYTES = 8 << 20;
const SIZES = { min: 1, avg: CHUNK_SIZE_LIMIT, max: CHUNK_SIZE_LIMIT };

/** A chunk and what names it. */
export interface NamedChunk {
  readonly digest: Uint8Array;
  readonly bytes: Uint8Array;
}

/**
 * Writes chunks into a directory, as many as there is room for.
 * @param named by which hash
 * @returns how many bytes
 * @throws Error when it cannot be written to
 */
export async function carryChunks(
  directory: string,
  chunks: AsyncIterable<NamedChunk>,
  named: ChunkHash,
  mostBytes: number,
): Promise<number> {
  const ends: number[] = [];
  const digests: Uint8Array[] = [];
  let [total, pieces, piece, pieceBytes] = [0, 0, [] as Uint8Array[], 0];
  for await (const { digest, bytes } of chunks) {
    if (total + bytes.length > mostBytes) break;
    if (pieceBytes >= PIECE_BYTES) {
      await writePiece(join(directory, String(pieces++)), piece, pieceBytes);
      [piece, pieceBytes] = [[], 0];
    }
    piece.push(bytes);
    pieceBytes += bytes.length;
    total += bytes.length;
    ends.push(total);
    digests.push(digest);
  }
  if (total === 0) return 0;
  await writePiece(join(directory, String(pieces)), piece, pieceBytes);
  const index = createChunkIndex(Float64Array.from(ends), Buffer.concat(digests), SIZES, named);
  await writeIndexFile(join(directory, INDEX), index);
  return total;
}

/** In one go: a slow machine that ends would take many times as long for a call a chunk. */
async function writePiece(path: string, parts: readonly Uint8Array[], sizeBytes: number): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    const { bytesWritten } = await file.writev(parts);
    if (bytesWritten < sizeBytes) throw new Error(`${path}: ${bytesWritten} of ${sizeBytes} bytes could be written`);
  } finally {
    await file.close();
  }
}

/** A piece that is there: its chunks begin at a byte of all, and so many of them were not taken out yet. */
interface Piece {
  readonly start: number;
  left: number;
}

/** What was carried over, until it is taken out. */
export class CarriedChunks {
  readonly index: ChunkIndex;
  readonly #directory: string;
  readonly #log: (line: string) => void;
  readonly #pieceOf: Int32Array;
  readonly #pieces: (Piece | undefined)[] = [];
  /** Chunks that were not taken out yet, and whose piece is there. */
  readonly #isLeft: Uint8Array;

  private constructor(directory: string, index: ChunkIndex, files: ReadonlySet<string>, log: (line: string) => void) {
    this.index = index;
    this.#directory = directory;
    this.#log = log;
    this.#pieceOf = new Int32Array(index.count);
    this.#isLeft = new Uint8Array(index.count);
    let start = Number.NEGATIVE_INFINITY;
    let number = -1;
    for (let i = 0; i < index.count; i++) {
      if (index.start(i) - start >= PIECE_BYTES) {
        start = index.start(i);
        number++;
        this.#pieces.push(files.has(String(number)) ? { start, left: 0 } : undefined);
      }
      this.#pieceOf[i] = number;
      const piece = this.#pieces[number];
      if (piece === undefined) continue;
      piece.left++;
      this.#isLeft[i] = 1;
    }
  }

  /**
   * Undefined: nothing was carried over; what is there then goes.
   * @param log told of what cannot be removed later
   * @throws Error when it can be neither read nor removed
   */
  static async open(directory: string, log: (line: string) => void): Promise<CarriedChunks | undefined> {
    const isThere = await access(directory).then(
      () => true,
      () => false,
    );
    if (!isThere) return undefined;
    try {
      const index = await readIndexFile(join(directory, INDEX));
      return new CarriedChunks(directory, index, new Set(await readdir(directory)), log);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      // Its writer was cut short, or there was nothing to write.
      if (error instanceof Error && hasCode(error.cause, 'ENOENT')) return undefined;
      throw error;
    }
  }

  has(i: number): boolean {
    return this.#isLeft[i] === 1;
  }

  /** The bytes of chunk `i`, checked. @throws Error when they are not there, ChunkCorruptError when they are others */
  async read(i: number): Promise<Uint8Array> {
    const number = this.#pieceOf[i] ?? -1;
    const piece = this.#pieces[number];
    if (piece === undefined || !this.has(i)) throw new Error(`${this.#directory}: chunk ${i} is not there any more`);
    const bytes = Buffer.allocUnsafeSlow(this.index.length(i));
    const file = await open(join(this.#directory, String(number)), 'r');
    try {
      const { bytesRead } = await file.read(bytes, 0, bytes.length, this.index.start(i) - piece.start);
      verifyChunk(this.index, i, bytes.subarray(0, bytesRead), this.#directory);
    } finally {
      await file.close();
    }
    return bytes;
  }

  /** Chunk `i` is wanted no more. Once all are, nothing is left of the directory. */
  drop(i: number): void {
    const number = this.#pieceOf[i] ?? -1;
    const piece = this.#pieces[number];
    if (piece === undefined || !this.has(i)) return;
    this.#isLeft[i] = 0;
    if (--piece.left > 0) return;
    this.#pieces[number] = undefined;
    const isLast = this.#pieces.every((each) => each === undefined);
    const path = isLast ? this.#directory : join(this.#directory, String(number));
    rm(path, { recursive: true, force: true }).catch((error: unknown) => this.#log(`${path} stays: ${String(error)}`));
  }
}
