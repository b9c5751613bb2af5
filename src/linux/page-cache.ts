import { closeSync, openSync } from 'node:fs';
import { call, libc } from './libc.ts';

const PROT_NONE = 0;
const MAP_SHARED = 1;
/** Pages asked for at a time: a byte of answer for each. */
const PAGES_AT_ONCE = 16_384;

/**
 * What of a file or block device lies in the kernel's page cache, by mincore(2) on a mapping that is never read: nothing
 * is brought in by looking, and a file that is cut short does no harm. Linux answers truly to the owner of the file, to
 * who may write it and to root; to all others it says that everything is there.
 */
export class PageCacheView implements Disposable {
  readonly #path: string;
  readonly #size: number;
  readonly #pageSize = libc().getpagesize();
  #address: bigint | undefined;

  /** @param size bytes from the start that are looked at, at least 1 @throws Error when it cannot be mapped */
  constructor(path: string, size: number) {
    this.#path = path;
    this.#size = size;
    const fd = openSync(path, 'r');
    try {
      this.#address = call('mmap', path, (c) => c.mmap(0n, BigInt(size), PROT_NONE, MAP_SHARED, fd, 0n));
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Ranges of bytes that are in memory now, in the order of the file, piece by piece: a piece takes some milliseconds, a
   * large file has thousands. @throws Error when the kernel does not say
   */
  *resident(): Generator<readonly { readonly start: number; readonly end: number }[]> {
    const pages = Buffer.alloc(PAGES_AT_ONCE);
    const step = PAGES_AT_ONCE * this.#pageSize;
    for (let from = 0; from < this.#size; from += step) {
      const address = this.#address;
      if (address === undefined) throw new Error(`${this.#path}: not looked at any more`);
      const length = Math.min(step, this.#size - from);
      call('mincore', this.#path, (c) => c.mincore(address + BigInt(from), BigInt(length), pages));
      yield [...runsOfOnes(pages.subarray(0, Math.ceil(length / this.#pageSize)))].map(({ start, end }) => ({
        start: from + start * this.#pageSize,
        end: Math.min(from + end * this.#pageSize, this.#size),
      }));
    }
  }

  [Symbol.dispose](): void {
    const address = this.#address;
    if (address === undefined) return;
    this.#address = undefined;
    call('munmap', this.#path, (c) => c.munmap(address, BigInt(this.#size)));
  }
}

function* runsOfOnes(pages: Buffer): Generator<{ start: number; end: number }> {
  for (let start = pages.indexOf(1); start >= 0; ) {
    const zero = pages.indexOf(0, start);
    const end = zero < 0 ? pages.length : zero;
    yield { start, end };
    start = end < pages.length ? pages.indexOf(1, end) : -1;
  }
}
