import type { ChunkIndex } from '../../image/chunk-index.ts';
import { ChunkCorruptError } from '../../image/chunk-source.ts';
import type { Twins } from './twins.ts';
import { isChunk } from './verify.ts';

/** A local medium that has the whole image. */
export interface Medium {
  readonly name: string;
  /** Size of the image in bytes. */
  readonly size: number;
  /** Fills all of `target` from `offset` on. @throws Error when it cannot */
  read(target: Uint8Array, offset: number): Promise<void>;
}

/** A medium that gives none of so many chunks, all over the image, has been taken out; a bad spot is smaller. */
const PROBES = 8;
const PROBE_BYTES = 512;

/** The chunks of the image as it lies on a local medium. */
export class MediumLayer {
  readonly #medium: Medium;
  readonly #index: ChunkIndex;
  readonly #twins: Twins;
  bytesRead = 0;

  constructor(medium: Medium, index: ChunkIndex, twins: Twins) {
    this.#medium = medium;
    this.#index = index;
    this.#twins = twins;
  }

  /** @throws Error when neither it nor an equal one can be read; ChunkCorruptError when the bytes are others */
  async read(chunk: number): Promise<Uint8Array> {
    try {
      return await this.#readOne(chunk);
    } catch (error) {
      for (const twin of this.#twins.othersOf(chunk)) return await this.#readOne(twin);
      throw error;
    }
  }

  async #readOne(chunk: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(this.#index.length(chunk));
    await this.#medium.read(bytes, this.#index.start(chunk));
    this.bytesRead += bytes.length;
    if (isChunk(this.#index, chunk, bytes)) return bytes;
    throw new ChunkCorruptError(`${this.#medium.name}: chunk ${chunk} is not what the index says`);
  }

  /** Whether any of some chunks, taken from all over the image, can still be read. */
  async isThere(chunks: readonly number[]): Promise<boolean> {
    const step = Math.max(1, Math.floor(chunks.length / PROBES));
    for (let i = 0; i < chunks.length; i += step) {
      const chunk = chunks[i] as number;
      const target = new Uint8Array(Math.min(PROBE_BYTES, this.#index.length(chunk)));
      const isThere = await this.#medium.read(target, this.#index.start(chunk)).then(
        () => true,
        () => false,
      );
      if (isThere) return true;
    }
    return false;
  }
}
