/** Keys and signatures for tests. */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { type ChunkIndex, createChunkIndex, encodeChunkIndex } from '../../../src/image/chunk-index.ts';
import { signMinisign } from '../../../src/image/minisign-secret.ts';
import type { NamedKey } from '../../../src/image/signature.ts';

export interface Signer {
  readonly known: NamedKey;
  sign(index: ChunkIndex): Uint8Array;
}

export function makeSigner(keyId = randomBytes(8).toString('hex').toUpperCase().replace(/^0+/, '')): Signer {
  const { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject } = generateKeyPairSync('ed25519');
  return {
    known: { id: keyId, key: publicKey, path: `${keyId}.pub` },
    sign: (index) => Buffer.from(signMinisign(encodeChunkIndex(index), { keyId, key: privateKey }, 'for a test')),
  };
}

/** An index of an image that nobody has. */
export function anyIndex(chunks = 3): ChunkIndex {
  const ends = Float64Array.from({ length: chunks }, (_, i) => (i + 1) * 50_000);
  return createChunkIndex(ends, randomBytes(32 * chunks));
}
