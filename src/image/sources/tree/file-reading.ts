import { type BigIntStats, closeSync, fstatSync, read, readSync } from 'node:fs';
import { nextData } from '../../../linux/seek.ts';
import type { FileContent } from '../../../squashfs/entry.ts';

/** A read of so many bytes that are in memory takes less time than to ask a thread for them. */
const AT_ONCE_BYTES = 128 * 1024;
/** What stat(2) counts blocks in, whatever the file system's own are. */
const STAT_BLOCK = 512n;

/**
 * The bytes of an open regular file, exactly as many as it had when it was looked at. Never throws: the walk goes on to
 * find all files that cannot be read. Whether the bytes are those of one moment is known when it is closed.
 */
export class FileReading implements FileContent {
  readonly size: number;
  readonly nextData?: (offset: number) => number;
  readonly #fd: number;
  readonly #stat: BigIntStats;
  #changed = false;
  #closed = false;
  #error: Error | undefined;

  /** @param fd is this object's from now on */
  constructor(fd: number, stat: BigIntStats) {
    this.#fd = fd;
    this.#stat = stat;
    this.size = Number(stat.size);
    if (stat.blocks * STAT_BLOCK < stat.size) {
      this.nextData = (offset) => Math.min(nextData(fd, offset) ?? this.size, this.size);
    }
  }

  /** Somebody wrote to the file meanwhile. */
  get changed(): boolean {
    return this.#changed;
  }

  /** What went wrong: zeroes stand for what could not be had. */
  get error(): Error | undefined {
    return this.#error;
  }

  read(into: Uint8Array, offset: number): number | Promise<number> {
    const part = into.subarray(0, Math.max(0, Math.min(into.length, this.size - offset)));
    if (part.length === 0) return 0;
    return this.size <= AT_ONCE_BYTES ? this.#readNow(part, offset) : this.#readLater(part, offset);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      const { size, mtimeNs, ctimeNs } = fstatSync(this.#fd, { bigint: true });
      this.#changed ||= size !== this.#stat.size || mtimeNs !== this.#stat.mtimeNs || ctimeNs !== this.#stat.ctimeNs;
    } finally {
      closeSync(this.#fd);
    }
  }

  #readNow(into: Uint8Array, offset: number): number {
    try {
      for (let filled = 0; filled < into.length; ) {
        const count = readSync(this.#fd, into, filled, into.length - filled, offset + filled);
        if (count === 0) return this.#shorter(into, filled);
        filled += count;
      }
      return into.length;
    } catch (error) {
      return this.#failed(into, error);
    }
  }

  #readLater(into: Uint8Array, offset: number): Promise<number> {
    return new Promise((resolve) => {
      const more = (filled: number): void =>
        read(this.#fd, into, filled, into.length - filled, offset + filled, (error, count) => {
          if (error !== null) resolve(this.#failed(into, error));
          else if (count === 0) resolve(this.#shorter(into, filled));
          else if (filled + count === into.length) resolve(into.length);
          else more(filled + count);
        });
      more(0);
    });
  }

  #shorter(into: Uint8Array, from: number): number {
    this.#changed = true;
    into.fill(0, from);
    return into.length;
  }

  #failed(into: Uint8Array, error: unknown): number {
    this.#error ??= error instanceof Error ? error : new Error(String(error));
    into.fill(0);
    return into.length;
  }
}
