import type { SquashfsLibrary } from './library.ts';
import { unpackLzo } from './lzo.ts';

/** SQFS_ERROR_COMPRESSOR. */
const COMPRESSOR_ERROR = -3;
/** In sqfs_compressor_t: after `destroy`, `copy`, `get_configuration`, `write_options` and `read_options`. */
const DO_BLOCK_AT = 40;
const DO_BLOCK = { arguments: ['pointer', 'pointer', 'u32', 'pointer', 'u32'], return: 'i32' } as const;

/** A sqfs_compressor_t that unpacks LZO, which the library itself does not. Only for readers, which copy none. */
export function createLzo(library: SquashfsLibrary): { readonly pointer: bigint } & Disposable {
  const { ffi } = library;
  const unpack = (_self: bigint, from: bigint, size: number, to: bigint, room: number): number => {
    try {
      return unpackLzo(ffi.toBuffer(from, size, false), ffi.toBuffer(to, room, false));
    } catch {
      return COMPRESSOR_ERROR; // the library says what it was that could not be unpacked
    }
  };
  const callback = library.callback(DO_BLOCK, unpack);
  const compressor = Buffer.alloc(DO_BLOCK_AT + 8);
  compressor.writeBigUInt64LE(callback, DO_BLOCK_AT);
  const pointer = ffi.getRawPointer(compressor);
  return {
    pointer,
    [Symbol.dispose]: () => {
      library.forget(callback);
      compressor.fill(0); // which also keeps it until now
    },
  };
}
