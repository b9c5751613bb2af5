import { bindFunctions, type Functions, foreign, type Signatures } from './foreign.ts';

/** What chunk stores of small machines need; a stream that wants more is refused. */
const MEMORY_LIMIT = 96n << 20n;

/** lzma/container.h of liblzma 5. Sizes are by reference: 8 bytes each. */
const SIGNATURES = {
  lzma_stream_buffer_decode: {
    arguments: ['buffer', 'u32', 'pointer', 'buffer', 'buffer', 'u64', 'buffer', 'buffer', 'u64'],
    return: 'i32',
  },
} as const satisfies Signatures;

const ERRORS: Readonly<Record<number, string>> = {
  5: 'takes too much memory',
  6: 'takes more memory than it may',
  7: 'is no xz',
  8: 'has options that are not known',
  9: 'is torn',
  10: 'is cut short or unpacks to more than it may',
};

let opened: Functions<typeof SIGNATURES> | undefined;

/** The library of the system, or of the initrd: it is there with libsquashfs. @throws Error when it is not */
function library(): Functions<typeof SIGNATURES> {
  if (opened !== undefined) return opened;
  const ffi = foreign();
  opened = bindFunctions(new ffi.DynamicLibrary('liblzma.so.5'), SIGNATURES);
  return opened;
}

/**
 * The bytes of an .xz stream, at most `maxSize` of them.
 * @throws Error that says what it is not
 */
export function unpackXz(packed: Uint8Array, maxSize: number): Buffer {
  const memory = Buffer.alloc(8);
  memory.writeBigUInt64LE(MEMORY_LIMIT);
  const [read, written] = [Buffer.alloc(8), Buffer.alloc(8)];
  const bytes = Buffer.alloc(maxSize);
  const { lzma_stream_buffer_decode: decode } = library();
  const result = decode(memory, 0, null, packed, read, BigInt(packed.length), bytes, written, BigInt(maxSize));
  if (result !== 0) throw new Error(ERRORS[result] ?? `cannot be unpacked by xz (${result})`);
  return bytes.subarray(0, Number(written.readBigUInt64LE()));
}
