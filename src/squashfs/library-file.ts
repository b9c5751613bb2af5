import { readSync, writeSync } from 'node:fs';
import type { SquashfsLibrary } from './library.ts';

/** SQFS_ERROR_IO, SQFS_ERROR_OUT_OF_BOUNDS. */
const IO_ERROR = -2;
const OUT_OF_BOUNDS = -8;

const READ_AT = { arguments: ['pointer', 'u64', 'pointer', 'u64'], return: 'i32' } as const;
const GET_SIZE = { arguments: ['pointer'], return: 'u64' } as const;
const TRUNCATE = { arguments: ['pointer', 'u64'], return: 'i32' } as const;

/**
 * An image as libsquashfs reads and writes it: a sqfs_file_t whose functions are these. So the real error (no space left)
 * is known when the library only says that there was one, and no read leaves the image.
 */
export class LibraryFile {
  readonly name: string;
  /** Where the library appends. */
  size: number;
  /** For the library. */
  readonly pointer: bigint;
  readonly #library: SquashfsLibrary;
  readonly #fd: number;
  readonly #struct = Buffer.alloc(48);
  readonly #callbacks: readonly bigint[];
  #failure: unknown;

  /** @param fd stays the caller's to close */
  constructor(library: SquashfsLibrary, fd: number, name: string, size: number) {
    this.#library = library;
    this.#fd = fd;
    this.name = name;
    this.size = size;
    this.#callbacks = [
      library.callback(READ_AT, (_file: bigint, offset: bigint, into: bigint, length: bigint) =>
        this.#guard(() => this.#read(Number(offset), into, Number(length))),
      ),
      library.callback(READ_AT, (_file: bigint, offset: bigint, from: bigint, length: bigint) =>
        this.#guard(() => this.write(library.ffi.toBuffer(from, Number(length), false), Number(offset))),
      ),
      library.callback(GET_SIZE, () => BigInt(this.size)),
      library.callback(TRUNCATE, (_file: bigint, size: bigint) =>
        this.#guard(() => {
          this.size = Number(size);
          return 0;
        }),
      ),
    ];
    // The first two are `destroy` and `copy`: nobody calls them, the object is this one's.
    for (const [at, callback] of this.#callbacks.entries()) this.#struct.writeBigUInt64LE(callback, 16 + at * 8);
    this.pointer = library.ffi.getRawPointer(this.#struct);
  }

  /**
   * Writes all bytes at `offset`.
   * @throws Error naming the image, with the kernel's reason
   */
  write(bytes: Uint8Array, offset: number): 0 {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done);
      }
    } catch (cause) {
      throw new Error(`cannot write ${this.name}`, { cause });
    }
    this.size = Math.max(this.size, offset + bytes.length);
    return 0;
  }

  /** Fills `into`; false when the image ends before. */
  read(into: Uint8Array, offset: number): boolean {
    for (let done = 0; done < into.length; ) {
      const got = readSync(this.#fd, into, done, into.length - done, offset + done);
      if (got === 0) return false;
      done += got;
    }
    return true;
  }

  /** Runs what calls the library; a failure of this file is thrown in place of the library's word for it. */
  attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const failure = this.#failure;
      this.#failure = undefined;
      throw failure ?? error;
    }
  }

  /** After this the library must not use the file any more. */
  close(): void {
    for (const callback of this.#callbacks) this.#library.forget(callback);
  }

  #read(offset: number, into: bigint, length: number): number {
    if (offset + length > this.size) return OUT_OF_BOUNDS;
    if (length === 0) return 0;
    return this.read(this.#library.ffi.toBuffer(into, length, false), offset) ? 0 : OUT_OF_BOUNDS;
  }

  #guard(work: () => number): number {
    try {
      return work();
    } catch (error) {
      this.#failure = error;
      return IO_ERROR;
    }
  }
}
