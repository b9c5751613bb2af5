/** Bytes that come one after another, taken in the amounts a reader wants. Holds no more than one piece of its input. */
export class ByteStream {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  #at = 0;
  #position = 0;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.#position;
  }

  /** Fills `into` and gives how many bytes it put there: fewer than asked only at the end. */
  async read(into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length && (await this.#hasMore())) {
      const part = this.#piece.subarray(this.#at, this.#at + into.length - filled);
      into.set(part, filled);
      filled += part.length;
      this.#take(part.length);
    }
    return filled;
  }

  /** Passes over `length` bytes; gives how many there were. */
  async skip(length: number): Promise<number> {
    let done = 0;
    while (done < length && (await this.#hasMore())) {
      const part = Math.min(this.#piece.length - this.#at, length - done);
      done += part;
      this.#take(part);
    }
    return done;
  }

  /** Lets its input know that no more is wanted. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  #take(length: number): void {
    this.#at += length;
    this.#position += length;
  }

  async #hasMore(): Promise<boolean> {
    while (this.#at === this.#piece.length) {
      const { value, done } = await this.#pieces.next();
      if (done === true) return false;
      this.#piece = value;
      this.#at = 0;
    }
    return true;
  }
}
