/**
 * A chunk store as casync and desync have it: a directory `NAME.castr` with a file `xxxx/HEX.cacnk` per chunk, HEX being
 * the digest of its bytes, by SHA-256 or SHA-512/256 as the index says, xxxx the first four digits, the content compressed by zstd. Any web server can serve it.
 * (casync src/castore.c, src/cachunk.c)
 */
import { hash, randomUUID } from 'node:crypto';
import { access, mkdir, open, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { CHUNK_SIZE_LIMIT, type ChunkHash, type ChunkIndex } from './chunk-index.ts';
import { ChunkCorruptError, type ChunkSource } from './chunk-source.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
/** Chunks are unpacked in pieces of this size, most of them in one. */
const LARGEST_PIECE = 1 << 20;

const SUFFIX = '.cacnk';
/** What casync uses: images are compressed already, so more effort gives nothing. */
const LEVEL = 3;
const HEX = /^[0-9a-f]{64}$/;

/** Chunks in a directory. Safe for several readers and writers at once: a chunk appears whole, by rename. */
export class ChunkStore {
  readonly path: string;

  /** @param path the directory, made when the first chunk is written */
  constructor(path: string) {
    this.path = path;
  }

  /** @param digest the chunk's name, 64 lower-case hex digits, as everywhere in this class */
  async has(digest: string): Promise<boolean> {
    return (await exists(this.#file(digest, SUFFIX))) || (await exists(this.#file(digest, '')));
  }

  /**
   * Whether the chunk's file is there and has nothing in it: a power cut leaves such names where a file system writes names
   * before bytes.
   */
  async isTorn(digest: string): Promise<boolean> {
    const found = await stat(this.#file(digest, SUFFIX)).catch(ignoreCodes('ENOENT'));
    return found?.size === 0;
  }

  /**
   * The chunk's bytes, checked to be those that `digest` names; undefined when it is not in the store.
   * @param maxSize bytes the chunk can have; a file that unpacks to more is refused before it takes the memory
   * @param named by which hash the index names its chunks
   * @throws ChunkCorruptError when the file holds something else; Error when it cannot be read
   */
  async read(digest: string, maxSize = CHUNK_SIZE_LIMIT, named: ChunkHash = 'sha256'): Promise<Uint8Array | undefined> {
    const packed = await readBounded(this.#file(digest, SUFFIX), packedLimit(maxSize));
    // `casync --compression=none` and desync's uncompressed stores leave the suffix away.
    const bytes =
      packed === undefined ? await readBounded(this.#file(digest, ''), maxSize) : await unpackChunk(packed, maxSize);
    if (bytes !== undefined && hash(named, bytes) !== digest) {
      throw new ChunkCorruptError(`${this.path}: chunk ${digest} holds other bytes`);
    }
    return bytes;
  }

  /**
   * Adds a chunk; one that is there already is replaced by the same, so it does no harm not to ask `has` before.
   * @param bytes what `digest` names: the caller has checked
   */
  async write(digest: string, bytes: Uint8Array): Promise<void> {
    const file = this.#file(digest, SUFFIX);
    const temporary = this.#file(digest, `.${randomUUID()}.tmp`);
    const packed = await packChunk(bytes);
    await mkdir(dirname(file), { recursive: true });
    try {
      // Read-only, as casync makes them. Not synced: what a power cut tears is found by its digest.
      await writeFile(temporary, packed, { mode: 0o444, flag: 'wx' });
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Removes a chunk; one that is not there is no error. */
  async remove(digest: string): Promise<void> {
    for (const suffix of [SUFFIX, '']) await rm(this.#file(digest, suffix), { force: true });
    // Gives the folder back when this was its last chunk.
    await rmdir(dirname(this.#file(digest, ''))).catch(ignoreCodes('ENOTEMPTY', 'ENOENT', 'EEXIST'));
  }

  /** The names of all chunks, in no order. Files that are no chunks are passed over. */
  async *list(): AsyncGenerator<string> {
    for (const folder of await namesIn(this.path)) {
      if (!/^[0-9a-f]{4}$/.test(folder)) continue;
      for (const name of await namesIn(join(this.path, folder))) {
        const digest = name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : name;
        if (HEX.test(digest) && digest.startsWith(folder)) yield digest;
      }
    }
  }

  #file(digest: string, suffix: string): string {
    if (!HEX.test(digest)) throw new Error(`'${digest}' is no chunk's name`);
    return join(this.path, chunkPath(digest, suffix));
  }
}

/** Where a chunk lies in its store: `xxxx/HEX.cacnk`, the same below a web server's URL. */
export function chunkPath(digest: string, suffix = SUFFIX): string {
  return `${digest.slice(0, 4)}/${digest}${suffix}`;
}

/** A chunk as its file holds it. */
export function packChunk(bytes: Uint8Array): Promise<Uint8Array> {
  // Told the size, zstd takes no more memory than that needs, and the result comes in one piece: half as fast again.
  return compress(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
    pledgedSrcSize: bytes.length,
    chunkSize: Math.max(packedLimit(bytes.length), constants.Z_MIN_CHUNK),
  });
}

/**
 * The bytes of a chunk file.
 * @throws ChunkCorruptError when it is no zstd or unpacks to more than `maxSize` bytes (which are never allocated)
 */
export async function unpackChunk(packed: Uint8Array, maxSize: number): Promise<Uint8Array> {
  try {
    // With a byte more than there can be the end is seen in the same piece.
    const chunkSize = Math.max(constants.Z_MIN_CHUNK, Math.min(maxSize, LARGEST_PIECE) + 1);
    return await decompress(packed, { maxOutputLength: maxSize, chunkSize });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const reason = code === 'ERR_BUFFER_TOO_LARGE' ? `unpacks to more than ${maxSize} bytes` : 'is no zstd';
    throw new ChunkCorruptError(`chunk file of ${packed.length} bytes ${reason}`, { cause });
  }
}

/** Largest file that a chunk of `size` bytes can take, however incompressible (zstd.h, ZSTD_COMPRESSBOUND). */
export function packedLimit(size: number): number {
  return size + Math.ceil(size / 256) + 1024;
}

/** The chunks of one image as a store has them. */
export function storeChunks(store: ChunkStore, index: ChunkIndex): ChunkSource {
  return { name: store.path, read: (i) => store.read(index.digestHex(i), index.length(i), index.hash) };
}

async function readBounded(path: string, limit: number): Promise<Uint8Array | undefined> {
  const handle = await open(path).catch(ignoreCodes('ENOENT'));
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat();
    if (size > limit) throw new ChunkCorruptError(`${path} has ${size} bytes, more than its chunk can`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return (await access(path).then(() => true, ignoreCodes('ENOENT'))) ?? false;
}

async function namesIn(path: string): Promise<string[]> {
  return (await readdir(path).catch(ignoreCodes('ENOENT', 'ENOTDIR'))) ?? [];
}

function ignoreCodes(...codes: string[]): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof Error && 'code' in error && codes.includes(String(error.code))) return undefined;
    throw error;
  };
}
