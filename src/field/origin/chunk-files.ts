import { type ChunkIndex, INDEX_SIZE_LIMIT, verifyIndex } from '../../image/chunk-index.ts';
import { verifyChunk } from '../../image/chunk-source.ts';
import { chunkPath, packedLimit } from '../../image/chunk-store.ts';
import type { Endpoint } from './names.ts';
import type { OriginPlace } from './place.ts';
import { unpackFile } from './unpack.ts';
import { NotThere, type Visitor } from './visit.ts';

/** Where chunks and indexes lie at an origin, and what has to be done to have them. */
export class ChunkFiles {
  readonly #visitor: Visitor;
  /** Stores that hold their chunks unpacked, under names without a suffix. */
  readonly #unpacked = new WeakSet<OriginPlace>();

  constructor(visitor: Visitor) {
    this.#visitor = visitor;
  }

  /**
   * The bytes of a chunk, checked, and how many came for it.
   * @throws NotThere when the origin lacks it; ChunkCorruptError when it gave others; Error when it gives none
   */
  async chunk(
    place: OriginPlace,
    endpoint: Endpoint,
    index: ChunkIndex,
    chunk: number,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: Uint8Array; readonly sent: number }> {
    const length = index.length(chunk);
    const { sent, bytes } =
      place.kind === 'image'
        ? await this.#ofImage(place, endpoint, index, chunk, signal)
        : await this.#ofStore(place, endpoint, index.digestHex(chunk), length, signal);
    verifyChunk(index, chunk, bytes, place.name);
    return { bytes, sent };
  }

  /** The index of an image. @param id 64 hex digits @throws as `chunk` does */
  async index(place: OriginPlace, endpoint: Endpoint, id: string, signal: AbortSignal): Promise<ChunkIndex> {
    const url =
      place.kind === 'image' ? new URL(place.url.href.replace(/\.sqfs$/, '.caibx')) : new URL(`${id}.caibx`, place.url);
    return verifyIndex(await this.#visitor.get(place, endpoint, { url, limit: INDEX_SIZE_LIMIT, signal }), id);
  }

  /** An image as it is: its chunks are ranges of it. */
  async #ofImage(place: OriginPlace, endpoint: Endpoint, index: ChunkIndex, chunk: number, signal: AbortSignal) {
    const { start, end } = index.chunk(chunk);
    const range = { start, end };
    const bytes = await this.#visitor.get(place, endpoint, { url: place.url, limit: end - start, range, signal });
    return { bytes: alone(bytes), sent: bytes.length };
  }

  async #ofStore(place: OriginPlace, endpoint: Endpoint, digest: string, length: number, signal: AbortSignal) {
    const isUnpacked = this.#unpacked.has(place);
    try {
      return await this.#file(place, endpoint, digest, length, isUnpacked, signal);
    } catch (error) {
      if (!(error instanceof NotThere)) throw error;
      const found = await this.#file(place, endpoint, digest, length, !isUnpacked, signal);
      if (isUnpacked) this.#unpacked.delete(place);
      else this.#unpacked.add(place);
      return found;
    }
  }

  async #file(
    place: OriginPlace,
    endpoint: Endpoint,
    digest: string,
    length: number,
    isUnpacked: boolean,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: Uint8Array; readonly sent: number }> {
    const path = isUnpacked ? chunkPath(digest, '') : chunkPath(digest);
    const limit = isUnpacked ? length : packedLimit(length);
    const file = await this.#visitor.get(place, endpoint, { url: new URL(path, place.url), limit, signal });
    return { bytes: isUnpacked ? alone(file) : await unpackFile(file, length), sent: file.length };
  }
}

/** What is kept is not to keep all of the buffer it was received in. */
const alone = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);
