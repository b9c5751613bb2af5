import type { SquashfsLibrary } from './library.ts';
import { unpackLzo } from './lzo.ts';

/** SQFS_ERROR_COMPRESSOR. */
const COMPRESSOR_ERROR = -3;
/** In sqfs_compressor_t: after `destroy`, `copy`, `get_configuration`, `write_options` and `read_options`. */
const DO_BLOCK_AT = 40;
const DO_BLOCK = { arguments: ['pointer', 'pointer', 'u32', 'pointer', 'u32'], return: 'i32' } as const;
/** LZ4HC_CLEVEL_MAX. */
const LZ4_LEVEL = 12;

/** A sqfs_compressor_t whose work is done here. Only for what works on this thread and copies it not: tables, readers. */
export interface OwnCompressor extends Disposable {
  readonly pointer: bigint;
}

/** Unpacks LZO, which the library itself does not. */
export function createLzo(library: SquashfsLibrary): OwnCompressor {
  return ownCompressor(library, unpackLzo);
}

/**
 * LZ4 for tables. The library's own takes what LZ4 makes of a few bytes, which is more than they are, and unsquashfs then
 * calls the image corrupt.
 */
export function createLz4(library: SquashfsLibrary): OwnCompressor {
  const lz4 = library.lz4();
  return ownCompressor(library, (from, to) => {
    const size = lz4.LZ4_compress_HC(from, to, from.length, to.length, LZ4_LEVEL);
    return size < from.length ? size : 0; // 0: kept as it is
  });
}

function ownCompressor(library: SquashfsLibrary, work: (from: Buffer, to: Buffer) => number): OwnCompressor {
  const { ffi } = library;
  const doBlock = (_self: bigint, from: bigint, size: number, to: bigint, room: number): number => {
    try {
      return work(ffi.toBuffer(from, size, false), ffi.toBuffer(to, room, false));
    } catch {
      return COMPRESSOR_ERROR; // the library says what it was that could not be unpacked
    }
  };
  const callback = library.callback(DO_BLOCK, doBlock);
  const compressor = Buffer.alloc(DO_BLOCK_AT + 8);
  compressor.writeBigUInt64LE(callback, DO_BLOCK_AT);
  return {
    pointer: ffi.getRawPointer(compressor),
    [Symbol.dispose]: () => {
      library.forget(callback);
      compressor.fill(0); // which also keeps it until now
    },
  };
}
