/** Smaller ones are cheap to make; larger ones are asked for rarely. */
const LEAST_BYTES = 4 << 10;
const MOST_BYTES = 1 << 20;
/** Kept for the next reads. */
const SPARE_BYTES = 8 << 20;

/**
 * Memory for what is put together of several chunks, used again and again: the pages of a new buffer each have to be got
 * from the system, which takes longer than to copy what goes into them, and each is one more for the collector.
 */
export class ReadBuffers {
  /** Free ones, by size: powers of two. */
  readonly #spare = new Map<number, ArrayBuffer[]>();
  #spareBytes = 0;
  readonly #lent = new WeakSet<ArrayBufferLike>();

  /** Its content is whatever was there before. */
  take(length: number): Uint8Array {
    if (length > MOST_BYTES) return Buffer.allocUnsafeSlow(length);
    const size = Math.max(LEAST_BYTES, 2 ** Math.ceil(Math.log2(length)));
    let buffer = this.#spare.get(size)?.pop();
    if (buffer === undefined) buffer = Buffer.allocUnsafeSlow(size).buffer;
    else this.#spareBytes -= size;
    this.#lent.add(buffer);
    return new Uint8Array(buffer, 0, length);
  }

  /** Of what was not taken here nothing comes. */
  giveBack({ buffer }: Uint8Array): void {
    if (!(buffer instanceof ArrayBuffer) || !this.#lent.delete(buffer)) return;
    const size = buffer.byteLength;
    if (this.#spareBytes + size > SPARE_BYTES) return;
    this.#spareBytes += size;
    const spare = this.#spare.get(size);
    if (spare === undefined) this.#spare.set(size, [buffer]);
    else spare.push(buffer);
  }
}
