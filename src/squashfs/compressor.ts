import { encode, u16le, u32le } from '../codec/struct.ts';
import { COMPRESSOR_CONFIG, FLAG_LZ4_HC, FLAG_UNCOMPRESS } from './c-structs.ts';
import type { SquashfsLibrary } from './library.ts';

/** Numbers as superblocks have them (SQFS_COMP_…). */
const IDS = { gzip: 1, lzma: 2, lzo: 3, xz: 4, lz4: 5, zstd: 6 } as const;

export type SquashfsCompressor = keyof typeof IDS;

/** What images can be written with: lzo is for reading only, and lzma is what no kernel mounts. */
export const WRITE_COMPRESSORS = ['zstd', 'xz', 'gzip', 'lz4'] as const;
export type WriteCompressor = (typeof WRITE_COMPRESSORS)[number];

/** Levels of each; lz4 has none (it is always the slow, good kind, LZ4 HC). */
export const LEVELS: Readonly<Record<WriteCompressor, { min: number; max: number; usual: number }>> = {
  zstd: { min: 1, max: 22, usual: 15 },
  xz: { min: 0, max: 9, usual: 6 },
  gzip: { min: 1, max: 9, usual: 9 },
  lz4: { min: 0, max: 0, usual: 0 },
};

export function compressorName(id: number): SquashfsCompressor | undefined {
  return (Object.keys(IDS) as SquashfsCompressor[]).find((name) => IDS[name] === id);
}

export function compressorId(name: SquashfsCompressor): number {
  return IDS[name];
}

/**
 * A compressor object of the library's, to be destroyed by the caller.
 * @throws SquashfsError when the library does not have it (lzo)
 */
export function createCompressor(
  library: SquashfsLibrary,
  name: SquashfsCompressor,
  blockSize: number,
  use: { readonly level: number } | 'unpack',
): bigint {
  const flags = use === 'unpack' ? FLAG_UNCOMPRESS : name === 'lz4' ? FLAG_LZ4_HC : 0;
  const config = Buffer.alloc(COMPRESSOR_CONFIG.size);
  const what = `compressor ${name}`;
  library.check(what, library.f.sqfs_compressor_config_init(config, IDS[name], BigInt(blockSize), flags));
  if (use !== 'unpack' && name !== 'lz4') {
    COMPRESSOR_CONFIG.write({ ...COMPRESSOR_CONFIG.read(config, 0)[0], level: use.level }, config, 0);
  }
  return library.out(what, (out) => library.f.sqfs_compressor_create(config, out));
}

/**
 * The block of options behind the superblock that says how an image was packed; undefined when everything is as usual.
 * Layout: Documentation/filesystems/squashfs.rst 3.1; the fields are squashfs-tools' (struct NAME_comp_opts).
 */
export function compressorOptions(name: WriteCompressor, level: number): Buffer | undefined {
  if (name === 'lz4') return optionsBlock(u32le, [1, FLAG_LZ4_HC]);
  if (level === LEVELS[name].usual) return undefined;
  if (name === 'zstd') return optionsBlock(u32le, [level]);
  if (name === 'gzip') return Buffer.concat([header(8), encode(u32le, level), encode(u16le, 15), encode(u16le, 0)]);
  return undefined; // xz does not say its level
}

function optionsBlock(codec: typeof u32le, values: readonly number[]): Buffer {
  return Buffer.concat([header(values.length * codec.size), ...values.map((value) => encode(codec, value))]);
}

/** Of a block of metadata that is stored as it is. */
function header(size: number): Uint8Array {
  return encode(u16le, 0x8000 | size);
}
