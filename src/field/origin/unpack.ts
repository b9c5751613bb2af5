import { promisify } from 'node:util';
import { gunzip, gunzipSync, inflate, inflateSync, zstdDecompress, zstdDecompressSync } from 'node:zlib';
import { ChunkCorruptError } from '../../image/chunk-source.ts';
import { unpackXz } from '../../linux/xz.ts';

type Unpack = (packed: Uint8Array, maxSize: number) => Promise<Uint8Array>;

interface Limits {
  readonly maxOutputLength: number;
  readonly chunkSize: number;
}

/** What unpacks to no more is unpacked at once: that takes a tenth of the time of handing it to a thread and back. */
const AT_ONCE_BYTES = 1 << 20;

const byNode =
  (
    unpackAtOnce: (packed: Uint8Array, limits: Limits) => Uint8Array,
    unpack: (packed: Uint8Array, limits: Limits) => Promise<Uint8Array>,
  ): Unpack =>
  async (packed, maxSize) => {
    // In one piece, which saves a round of Node's and a copy for each 16 KiB; with a byte more the end is seen in it, too.
    const chunkSize = Math.max(64, Math.min(maxSize, AT_ONCE_BYTES) + 1);
    const limits = { maxOutputLength: maxSize, chunkSize };
    return maxSize <= AT_ONCE_BYTES ? unpackAtOnce(packed, limits) : await unpack(packed, limits);
  };

const zstd = byNode(zstdDecompressSync, promisify(zstdDecompress));
const gzip = byNode(gunzipSync, promisify(gunzip));
const xz: Unpack = async (packed, maxSize) => unpackXz(packed, maxSize);

/** What a chunk file begins with (casync writes all three, desync zstd), and what undoes it. */
const PACKINGS: readonly { readonly name: string; readonly magic: readonly number[]; readonly unpack: Unpack }[] = [
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd], unpack: zstd },
  { name: 'gzip', magic: [0x1f, 0x8b], unpack: gzip },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], unpack: xz },
];

/** Content-Encoding, which a server may put around what it sends though nobody has asked for it. */
const ENCODINGS: Readonly<Record<string, Unpack>> = {
  gzip,
  'x-gzip': gzip,
  deflate: byNode(inflateSync, promisify(inflate)),
  zstd,
};

/**
 * The bytes of a chunk file, by whatever it is packed.
 * @param maxSize bytes they can be: more are never allocated
 * @throws ChunkCorruptError when it is packed by none of these, is torn, or has more bytes
 */
export async function unpackFile(packed: Uint8Array, maxSize: number): Promise<Uint8Array> {
  const packing = PACKINGS.find(({ magic }) => magic.every((byte, at) => packed[at] === byte));
  if (packing === undefined)
    throw new ChunkCorruptError(`a chunk file of ${packed.length} bytes is no zstd, gzip or xz`);
  return await unpackBy(packing.name, packing.unpack, packed, maxSize);
}

/** What a server has sent, without its Content-Encoding. @throws ChunkCorruptError when that is not known, or torn */
export async function undoEncoding(
  body: Uint8Array,
  encoding: string | undefined,
  maxSize: number,
): Promise<Uint8Array> {
  const name = encoding?.trim().toLowerCase() ?? '';
  if (name === '' || name === 'identity') return body;
  const unpack = Object.hasOwn(ENCODINGS, name) ? ENCODINGS[name] : undefined;
  if (unpack === undefined) throw new ChunkCorruptError('sends a Content-Encoding that was not asked for');
  return await unpackBy(name, unpack, body, maxSize);
}

async function unpackBy(name: string, unpack: Unpack, packed: Uint8Array, maxSize: number): Promise<Uint8Array> {
  try {
    return await unpack(packed, maxSize);
  } catch (cause) {
    throw new ChunkCorruptError(`${packed.length} bytes of ${name} are torn or unpack to more than ${maxSize} bytes`, {
      cause,
    });
  }
}
