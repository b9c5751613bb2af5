import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  bindFunctions,
  type DynamicLibrary,
  type Ffi,
  type Functions,
  foreign,
  type Signatures,
} from '../linux/foreign.ts';

/** The ABI of libsquashfs 1 (squashfs-tools-ng 1.x), which stays as it is until its number changes. */
const LIBRARY = 'libsquashfs.so.1';
/** What it is linked with. Loaded first when they lie beside the executable, where the loader would not look for them. */
const NEEDED = ['libz.so.1', 'liblzma.so.5', 'liblz4.so.1', 'libzstd.so.1'];

/** What the library is asked for; the headers in /usr/include/sqfs describe each. Objects are pointers. */
const SIGNATURES = {
  sqfs_block_processor_create_ex: { arguments: ['buffer', 'buffer'], return: 'i32' },
  sqfs_block_processor_submit_block: { arguments: ['pointer', 'u64', 'u32', 'buffer', 'u64'], return: 'i32' },
  sqfs_block_processor_finish: { arguments: ['pointer'], return: 'i32' },
  sqfs_compressor_config_init: { arguments: ['buffer', 'i32', 'u64', 'u16'], return: 'i32' },
  sqfs_compressor_create: { arguments: ['buffer', 'buffer'], return: 'i32' },
  sqfs_data_reader_create: { arguments: ['pointer', 'u64', 'pointer', 'u32'], return: 'pointer' },
  sqfs_data_reader_load_fragment_table: { arguments: ['pointer', 'buffer'], return: 'i32' },
  sqfs_data_reader_read: { arguments: ['pointer', 'buffer', 'u64', 'buffer', 'u32'], return: 'i32' },
  sqfs_dir_reader_create: { arguments: ['buffer', 'pointer', 'pointer', 'u32'], return: 'pointer' },
  sqfs_dir_reader_get_inode: { arguments: ['pointer', 'buffer'], return: 'i32' },
  sqfs_dir_reader_get_root_inode: { arguments: ['pointer', 'buffer'], return: 'i32' },
  sqfs_dir_reader_open_dir: { arguments: ['pointer', 'buffer', 'u32'], return: 'i32' },
  sqfs_dir_reader_read: { arguments: ['pointer', 'buffer'], return: 'i32' },
  sqfs_dir_writer_add_entry: { arguments: ['pointer', 'buffer', 'u32', 'u64', 'u16'], return: 'i32' },
  sqfs_dir_writer_begin: { arguments: ['pointer', 'u32'], return: 'i32' },
  sqfs_dir_writer_create: { arguments: ['pointer', 'u32'], return: 'pointer' },
  sqfs_dir_writer_create_inode: { arguments: ['pointer', 'u64', 'u32', 'u32'], return: 'pointer' },
  sqfs_dir_writer_end: { arguments: ['pointer'], return: 'i32' },
  sqfs_dir_writer_write_export_table: {
    arguments: ['pointer', 'pointer', 'pointer', 'u32', 'u64', 'buffer'],
    return: 'i32',
  },
  sqfs_frag_table_append: { arguments: ['pointer', 'u64', 'u32', 'buffer'], return: 'i32' },
  sqfs_frag_table_create: { arguments: ['u32'], return: 'pointer' },
  sqfs_frag_table_lookup: { arguments: ['pointer', 'u32', 'buffer'], return: 'i32' },
  sqfs_frag_table_read: { arguments: ['pointer', 'pointer', 'buffer', 'pointer'], return: 'i32' },
  sqfs_frag_table_write: { arguments: ['pointer', 'pointer', 'buffer', 'pointer'], return: 'i32' },
  sqfs_free: { arguments: ['pointer'], return: 'void' },
  sqfs_id_table_create: { arguments: ['u32'], return: 'pointer' },
  sqfs_id_table_id_to_index: { arguments: ['pointer', 'u32', 'buffer'], return: 'i32' },
  sqfs_id_table_index_to_id: { arguments: ['pointer', 'u16', 'buffer'], return: 'i32' },
  sqfs_id_table_read: { arguments: ['pointer', 'pointer', 'buffer', 'pointer'], return: 'i32' },
  sqfs_id_table_write: { arguments: ['pointer', 'pointer', 'buffer', 'pointer'], return: 'i32' },
  sqfs_meta_write_write_to_file: { arguments: ['pointer'], return: 'i32' },
  sqfs_meta_writer_create: { arguments: ['pointer', 'pointer', 'u32'], return: 'pointer' },
  sqfs_meta_writer_flush: { arguments: ['pointer'], return: 'i32' },
  sqfs_meta_writer_get_position: { arguments: ['pointer', 'buffer', 'buffer'], return: 'void' },
  /** The inode as bytes, so that they stay while the library writes and calls back. */
  sqfs_meta_writer_write_inode: { arguments: ['pointer', 'buffer'], return: 'i32' },
  sqfs_super_init: { arguments: ['buffer', 'u64', 'u32', 'i32'], return: 'i32' },
  sqfs_super_write: { arguments: ['buffer', 'pointer'], return: 'i32' },
  sqfs_xattr_reader_create: { arguments: ['u32'], return: 'pointer' },
  sqfs_xattr_reader_get_desc: { arguments: ['pointer', 'u32', 'buffer'], return: 'i32' },
  sqfs_xattr_reader_load: { arguments: ['pointer', 'buffer', 'pointer', 'pointer'], return: 'i32' },
  sqfs_xattr_reader_read_key: { arguments: ['pointer', 'buffer'], return: 'i32' },
  sqfs_xattr_reader_read_value: { arguments: ['pointer', 'pointer', 'buffer'], return: 'i32' },
  sqfs_xattr_reader_seek_kv: { arguments: ['pointer', 'buffer'], return: 'i32' },
  sqfs_xattr_writer_add: { arguments: ['pointer', 'buffer', 'buffer', 'u64'], return: 'i32' },
  sqfs_xattr_writer_begin: { arguments: ['pointer', 'u32'], return: 'i32' },
  sqfs_xattr_writer_create: { arguments: ['u32'], return: 'pointer' },
  sqfs_xattr_writer_end: { arguments: ['pointer', 'buffer'], return: 'i32' },
  sqfs_xattr_writer_flush: { arguments: ['pointer', 'pointer', 'buffer', 'pointer'], return: 'i32' },
} as const satisfies Signatures;

const LIBC = {
  bsearch: { arguments: ['pointer', 'pointer', 'u64', 'u64', 'pointer'], return: 'pointer' },
} as const satisfies Signatures;

const LZ4 = {
  LZ4_compress_HC: { arguments: ['buffer', 'buffer', 'i32', 'i32', 'i32'], return: 'i32' },
} as const satisfies Signatures;

/** sqfs/error.h, in words that end "… : WORDS". */
const ERRORS: Readonly<Record<number, string>> = {
  [-1]: 'out of memory',
  [-2]: 'input/output error',
  [-3]: 'the data cannot be unpacked',
  [-4]: 'internal error of libsquashfs',
  [-5]: 'the data is corrupt',
  [-6]: 'something that libsquashfs does not know',
  [-7]: 'a number is too large',
  [-8]: 'it lies outside of its table',
  [-9]: 'no squashfs',
  [-10]: 'not squashfs 4.0',
  [-11]: 'wrong block size',
  [-12]: 'no directory',
  [-13]: 'no such entry',
  [-14]: 'a loop of links',
  [-15]: 'no regular file',
  [-16]: 'wrong argument',
  [-17]: 'calls in the wrong order',
};

/** A call of libsquashfs failed: `WHAT: WHY`. */
export class SquashfsError extends Error {
  override readonly name = 'SquashfsError';
  /** sqfs/error.h; below 0. */
  readonly code: number;

  constructor(what: string, code: number) {
    super(`${what}: ${ERRORS[code] ?? `error ${code}`}`);
    this.code = code;
  }
}

/** What C gives back in a `T **out`. */
const OUT = Buffer.alloc(8);

export class SquashfsLibrary {
  readonly ffi: Ffi;
  readonly f: Functions<typeof SIGNATURES>;
  readonly #library: DynamicLibrary;
  readonly #libc: Functions<typeof LIBC>;

  constructor(ffi: Ffi, library: DynamicLibrary) {
    this.ffi = ffi;
    this.#library = library;
    this.f = bindFunctions(library, SIGNATURES);
    this.#libc = bindFunctions(new ffi.DynamicLibrary('libc.so.6'), LIBC);
  }

  /** A result below 0 becomes a SquashfsError that begins with `what`. */
  check(what: string | (() => string), result: number): number {
    if (result < 0) throw new SquashfsError(typeof what === 'string' ? what : what(), result);
    return result;
  }

  /** An object by the pointer that a function returned; null says that there is no memory for it. */
  object(what: string, pointer: bigint): bigint {
    if (pointer === 0n) throw new SquashfsError(what, -1);
    return pointer;
  }

  /** Calls a function that gives an object in its last argument. */
  out(what: string | (() => string), fn: (out: Uint8Array) => number): bigint {
    this.check(what, fn(OUT));
    return OUT.readBigUInt64LE(0);
  }

  /** Calls a function that gives a number of 32 bits in its last argument. */
  outNumber(what: string | (() => string), fn: (out: Uint8Array) => number): number {
    this.check(what, fn(OUT));
    return OUT.readUInt32LE(0);
  }

  /** The LZ4 that libsquashfs itself is linked with. */
  lz4(): Functions<typeof LZ4> {
    return bindFunctions(new this.ffi.DynamicLibrary('liblz4.so.1'), LZ4);
  }

  /**
   * sqfs_destroy(): an object's first word is the function that frees it. node:ffi calls functions by name only, so the
   * C library makes the call: bsearch(3) hands its key to the comparison as first argument, once for one element.
   */
  destroy(object: bigint): void {
    this.#libc.bsearch(object, this.ffi.getRawPointer(OUT), 1n, 1n, this.ffi.getUint64(object, 0));
  }

  /** A function for the library to call, on this thread only; it must not throw. Good until `forget`. */
  callback(
    signature: { readonly arguments: readonly string[]; readonly return: string },
    fn: (...args: never[]) => number | bigint,
  ): bigint {
    return this.#library.registerCallback(signature as never, fn as never);
  }

  forget(callback: bigint): void {
    this.#library.unregisterCallback(callback);
  }
}

let opened: SquashfsLibrary | undefined;

/**
 * The library: beside the executable, as the kit carries it, or the system's.
 * @throws Error that says what to install when it is in neither place
 */
export function openLibrary(): SquashfsLibrary {
  opened ??= load();
  return opened;
}

function load(): SquashfsLibrary {
  const ffi = foreign();
  const beside = (name: string): string => join(dirname(process.execPath), name);
  const carried = existsSync(beside(LIBRARY));
  if (carried) for (const name of NEEDED) if (existsSync(beside(name))) new ffi.DynamicLibrary(beside(name));
  try {
    return new SquashfsLibrary(ffi, new ffi.DynamicLibrary(carried ? beside(LIBRARY) : LIBRARY));
  } catch (cause) {
    throw new Error(`cannot load ${LIBRARY}, which reads and writes images; install Debian's package libsquashfs1`, {
      cause,
    });
  }
}
