/**
 * LZO1X, unpacking only: images of old live systems are packed by it, and libsquashfs leaves it out for its licence.
 * Format: Documentation/staging/lzo.rst of Linux.
 */

const M2_MAX_OFFSET = 0x0800;
const M4_BASE = 0x4000;

class LzoError extends Error {
  override readonly name = 'LzoError';
}

/**
 * Unpacks one block.
 * @returns how many bytes of `target` were filled
 * @throws Error when the block is corrupt or does not fit
 */
export function unpackLzo(source: Uint8Array, target: Uint8Array): number {
  return new LzoUnpacker(source, target).run();
}

class LzoUnpacker {
  readonly #source: Uint8Array;
  readonly #target: Uint8Array;
  #in = 0;
  #out = 0;

  constructor(source: Uint8Array, target: Uint8Array) {
    this.#source = source;
    this.#target = target;
  }

  run(): number {
    // How many literals the last instruction copied: 0 to 3 after a match, 4 for "four or more".
    let state = 0;
    const first = this.#peek();
    if (first > 17) {
      this.#in++;
      const count = first - 17;
      this.#literals(count);
      state = Math.min(count, 4);
    }
    for (;;) {
      const code = this.#byte();
      if (code < 16 && state === 0) {
        const count = code === 0 ? this.#long(15) : code;
        this.#literals(count + 3);
        state = 4;
        continue;
      }
      const distance = this.#match(code, state);
      if (distance === 0) break;
      this.#literals(this.#trailing);
      state = this.#trailing;
    }
    if (this.#in !== this.#source.length) throw new LzoError('bytes are left behind the end of an LZO block');
    return this.#out;
  }

  /** Literals that follow a match: the low bits of its last byte but one. */
  #trailing = 0;

  /** Copies what was there before; gives how far back it lay, 0 at the end of the block. */
  #match(code: number, state: number): number {
    if (code >= 64) {
      const distance = (this.#byte() << 3) + ((code >> 2) & 7) + 1;
      this.#trailing = code & 3;
      return this.#copy(distance, (code >> 5) + 1);
    }
    if (code >= 32) {
      const length = ((code & 31) === 0 ? this.#long(31) : code & 31) + 2;
      const low = this.#word();
      this.#trailing = low & 3;
      return this.#copy((low >> 2) + 1, length);
    }
    if (code >= 16) {
      const length = ((code & 7) === 0 ? this.#long(7) : code & 7) + 2;
      const low = this.#word();
      const distance = M4_BASE + ((code & 8) << 11) + (low >> 2);
      if (distance === M4_BASE) return 0;
      this.#trailing = low & 3;
      return this.#copy(distance, length);
    }
    const low = this.#byte();
    this.#trailing = code & 3;
    if (state === 4) return this.#copy((low << 2) + (code >> 2) + M2_MAX_OFFSET + 1, 3);
    return this.#copy((low << 2) + (code >> 2) + 1, 2);
  }

  #copy(distance: number, length: number): number {
    const from = this.#out - distance;
    if (from < 0) throw new LzoError('an LZO block refers to bytes before it');
    this.#room(length);
    // Byte by byte: what is copied may be what was just written.
    for (let i = 0; i < length; i++) this.#target[this.#out + i] = this.#target[from + i] as number;
    this.#out += length;
    return distance;
  }

  #literals(count: number): void {
    if (count > this.#source.length - this.#in) throw new LzoError('an LZO block ends too soon');
    this.#room(count);
    this.#target.set(this.#source.subarray(this.#in, this.#in + count), this.#out);
    this.#in += count;
    this.#out += count;
  }

  #room(count: number): void {
    if (count > this.#target.length - this.#out) throw new LzoError('an LZO block is larger than it may be');
  }

  /** A length that did not fit its bits: `base` and 255 for each zero byte and the byte after them. */
  #long(base: number): number {
    let length = base;
    for (;;) {
      const byte = this.#byte();
      if (byte !== 0) return length + byte;
      length += 255;
      if (length > this.#target.length) throw new LzoError('an LZO block is larger than it may be');
    }
  }

  #word(): number {
    return this.#byte() | (this.#byte() << 8);
  }

  #byte(): number {
    const byte = this.#peek();
    this.#in++;
    return byte;
  }

  #peek(): number {
    const byte = this.#source[this.#in];
    if (byte === undefined) throw new LzoError('an LZO block ends too soon');
    return byte;
  }
}
