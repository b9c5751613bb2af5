/**
 * Signing in minisign's format. A secret key file (minisign.key) is two lines of text:
 *
 *     untrusted comment: …
 *     base64 of: "Ed" · "Sc" or two zero bytes · "B2" · salt (32) · opslimit (8) · memlimit (8) · what follows, 104 bytes:
 *                key id (8) · seed (32) · public key (32) · BLAKE2b-256 (32)
 *
 * With "Sc" the 104 bytes are XORed with as many that scrypt makes of a password. Source: minisign's src/minisign.c.
 */
import { createPrivateKey, createPublicKey, hash, type KeyObject, scryptSync, sign } from 'node:crypto';
import { bytes as bytesOf, struct, u64leBig } from '../codec/struct.ts';
import { decodeBase64, encodeMinisignSignature, formatKeyId, linesOf, UNTRUSTED } from './minisign.ts';

const SECRET_BYTES = 104;
const FILE = struct('minisign secret key', [
  ['algorithm', bytesOf(2)],
  ['derivation', bytesOf(2)],
  ['checksum', bytesOf(2)],
  ['salt', bytesOf(32)],
  ['opsLimit', u64leBig],
  ['memoryLimit', u64leBig],
  ['secret', bytesOf(SECRET_BYTES)],
]);
const SECRET = struct('minisign secret key', [
  ['keyId', u64leBig],
  ['seed', bytesOf(32)],
  ['publicKey', bytesOf(32)],
  // Not looked at: whether the public key is the seed's says the same.
  ['checksum', bytesOf(32)],
]);

/** What precedes the 32 bytes of an Ed25519 seed in DER (RFC 8410, section 7). */
const SEED_DER = Buffer.from('302e020100300506032b657004220420', 'hex');
/** minisign's own keys want 1 GiB. */
const MEMORY_LIMIT_BYTES = 2 ** 31;
/** minisign's own keys want 2^25, about five seconds. */
const OPERATIONS_LIMIT = 2 ** 28;
/** minisign reads no longer ones. */
const COMMENT_LIMIT_BYTES = 8000;

export interface MinisignSecretFile {
  readonly needsPassword: boolean;
  /** @throws Error when the password is wrong or missing, or the file is damaged */
  unlock(password?: string): MinisignSecret;
}

export interface MinisignSecret {
  /** As in the public key. */
  readonly keyId: string;
  readonly key: KeyObject;
}

/** @throws Error saying what is wrong */
export function parseMinisignSecret(text: string): MinisignSecretFile {
  const [comment, key, ...more] = linesOf(text);
  if (!comment?.startsWith(UNTRUSTED) || key === undefined || more.length > 0) {
    throw new Error('no minisign secret key: not its two lines');
  }
  const file = decodeBase64(FILE, key, 'minisign secret key');
  const word = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
  const derivation = word(file.derivation);
  if (word(file.algorithm) !== 'Ed') throw new Error('no minisign secret key: not for Ed25519');
  if (derivation !== 'Sc' && derivation !== '\0\0') throw new Error('no minisign secret key: unknown derivation');
  const needsPassword = derivation === 'Sc';
  return {
    needsPassword,
    unlock(password) {
      if (needsPassword && password === undefined) throw new Error('the minisign secret key has a password');
      const stream = needsPassword ? passwordStream(password ?? '', file) : new Uint8Array(SECRET_BYTES);
      const plain = file.secret.map((byte, at) => byte ^ (stream[at] ?? 0));
      const [{ keyId, seed, publicKey }] = SECRET.read(plain, 0);
      const secret = createPrivateKey({ key: Buffer.concat([SEED_DER, seed]), format: 'der', type: 'pkcs8' });
      const derived = createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32);
      if (!derived.equals(publicKey))
        throw new Error(
          needsPassword ? 'the password of the minisign secret key is wrong' : 'damaged minisign secret key',
        );
      return { keyId: formatKeyId(keyId), key: secret };
    },
  };
}

/**
 * Signs as minisign does today: over the message's BLAKE2b-512.
 * @param trustedComment one line, signed too
 * @returns the text of NAME.minisig
 */
export function signMinisign(message: Uint8Array, { keyId, key }: MinisignSecret, trustedComment: string): string {
  if (/[\p{Cc}]/u.test(trustedComment.replaceAll('\t', ' '))) throw new Error('a trusted comment is one line of text');
  if (Buffer.byteLength(trustedComment) > COMMENT_LIMIT_BYTES)
    throw new Error(`a trusted comment has at most ${COMMENT_LIMIT_BYTES} bytes`);
  const signature = sign(null, hash('blake2b512', message, 'buffer'), key);
  const globalSignature = sign(null, Buffer.concat([signature, Buffer.from(trustedComment)]), key);
  return encodeMinisignSignature({ keyId, prehashed: true, signature, trustedComment, globalSignature });
}

interface Derivation {
  readonly salt: Uint8Array;
  readonly opsLimit: bigint;
  readonly memoryLimit: bigint;
}

function passwordStream(password: string, { salt, opsLimit, memoryLimit }: Derivation): Uint8Array {
  if (memoryLimit > MEMORY_LIMIT_BYTES || opsLimit > OPERATIONS_LIMIT)
    throw new Error('the minisign secret key wants more than 2 GiB of memory, or too much time, for its password');
  const { cost, parallelization } = scryptParameters(Number(opsLimit), Number(memoryLimit));
  const options = { cost, blockSize: 8, parallelization, maxmem: 2 * MEMORY_LIMIT_BYTES };
  return scryptSync(password, salt, SECRET_BYTES, options);
}

/** How libsodium makes scrypt's parameters of its two limits (pickparams of crypto_pwhash_scryptsalsa208sha256); r is 8. */
function scryptParameters(opsLimit: number, memoryLimit: number): { cost: number; parallelization: number } {
  const ops = Math.max(opsLimit, 32768);
  const isBoundByOps = ops < memoryLimit / 32;
  const most = Math.floor(isBoundByOps ? ops / 32 : memoryLimit / 1024);
  let cost = 2;
  while (cost <= most / 2) cost *= 2;
  const parallelization = isBoundByOps ? 1 : Math.floor(Math.min(Math.floor(ops / 4 / cost), 0x3fffffff) / 8);
  return { cost, parallelization: Math.max(1, parallelization) };
}
