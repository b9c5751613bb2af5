import type { FileContent } from '../../../squashfs/entry.ts';
import type { ByteStream } from './byte-stream.ts';
import type { SparseMap } from './sparse.ts';
import { TarError } from './tar-error.ts';

/** The bytes of one member, taken from the stream as they are asked for: only forward. */
export class MemberContent implements FileContent {
  readonly size: number;
  readonly nextData?: (offset: number) => number;
  readonly #stream: ByteStream;
  readonly #map: SparseMap;
  readonly #where: string;
  /** Bytes of data taken, and of the file that the next one is at. */
  #taken = 0;
  #span = 0;
  #at = 0;

  /** @param where the tar's name and the member's, for errors: these come up where it is read, not in the tar's reader */
  constructor(stream: ByteStream, map: SparseMap, where: string) {
    this.#where = where;
    this.#stream = stream;
    this.#map = map;
    this.size = map.realSize;
    const isWhole = map.spans.length === 1 && map.spans[0]?.start === 0 && map.spans[0].end === map.realSize;
    if (!isWhole && map.realSize > 0) {
      let next = 0; // offsets only grow
      this.nextData = (offset) => {
        while ((map.spans[next]?.end ?? Number.POSITIVE_INFINITY) <= offset) next++;
        const span = map.spans[next];
        return span === undefined ? this.size : Math.max(offset, span.start);
      };
    }
  }

  /** Bytes of the stream that were taken. */
  get taken(): number {
    return this.#taken;
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    if (offset < this.#at) throw new Error(`byte ${offset} of a tar's member is past`);
    const end = Math.min(offset + into.length, this.size);
    if (offset >= end) return 0;
    await this.#passOver(offset);
    into.fill(0, 0, end - offset);
    for (let span = this.#current(); span !== undefined && span.start < end; span = this.#current()) {
      const start = Math.max(span.start, this.#at);
      const stop = Math.min(span.end, end);
      await this.#take(into.subarray(start - offset, stop - offset));
      this.#at = stop;
      if (stop < span.end) break;
      this.#span++;
    }
    this.#at = end;
    return end - offset;
  }

  close(): void {
    // What was not read is passed over by who reads the tar.
  }

  #current() {
    return this.#map.spans[this.#span];
  }

  /** Data before `offset` that nobody wanted. */
  async #passOver(offset: number): Promise<void> {
    for (let span = this.#current(); span !== undefined && span.start < offset; span = this.#current()) {
      const start = Math.max(span.start, this.#at);
      const stop = Math.min(span.end, offset);
      if (stop > start) this.#count(await this.#stream.skip(stop - start), stop - start);
      if (stop < span.end) break;
      this.#span++;
    }
    this.#at = offset;
  }

  async #take(into: Uint8Array): Promise<void> {
    this.#count(await this.#stream.read(into), into.length);
  }

  #count(had: number, wanted: number): void {
    this.#taken += had;
    if (had < wanted) throw new TarError(`${this.#where}: it is cut short: its data ends too early`);
  }
}
