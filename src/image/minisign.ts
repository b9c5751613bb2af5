/**
 * Signatures in minisign's format: Ed25519, over the file itself (algorithm "Ed": signify and old minisign) or over its
 * BLAKE2b-512 ("ED": minisign today). Source: minisign's README and src/minisign.c. Both files are lines of text:
 *
 *     key         untrusted comment: …
 *                 base64 of: "Ed" · key id (8 bytes) · public key (32)
 *     signature   untrusted comment: …
 *                 base64 of: algorithm (2) · key id (8) · signature (64)
 *                 trusted comment: TEXT
 *                 base64 of: signature (64) over the 64 bytes above and TEXT
 */
import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import { bytes as bytesOf, type Codec, CodecError, struct, u64leBig } from '../codec/struct.ts';

const KEY = struct('minisign key', [
  ['algorithm', bytesOf(2)],
  ['keyId', u64leBig],
  ['publicKey', bytesOf(32)],
]);
const SIGNATURE = struct('minisign signature', [
  ['algorithm', bytesOf(2)],
  ['keyId', u64leBig],
  ['signature', bytesOf(64)],
]);

const SIGNATURE_BYTES = 2 + 8 + 64;

export const UNTRUSTED = 'untrusted comment: ';
const TRUSTED = 'trusted comment: ';
/** What precedes the 32 bytes of an Ed25519 key in DER (RFC 8410, section 4). */
const ED25519_DER = Buffer.from('302a300506032b6570032100', 'hex');
/** A file longer than this is neither a key nor a signature (minisign's comments end at 8 KiB). */
export const MINISIGN_FILE_LIMIT = 64 * 1024;

export interface MinisignKey {
  /** Upper-case hex digits without leading zeros, as minisign prints it. */
  readonly id: string;
  readonly key: KeyObject;
}

export interface MinisignSignature {
  readonly keyId: string;
  /** Whether the signature is over the file's BLAKE2b-512 instead of the file. */
  readonly prehashed: boolean;
  readonly signature: Uint8Array;
  readonly trustedComment: string;
  readonly globalSignature: Uint8Array;
}

/**
 * Parses a public key file (minisign.pub).
 * @throws Error saying what is wrong
 */
export function parseMinisignKey(text: string): MinisignKey {
  const [comment, key, ...more] = linesOf(text);
  if (comment === undefined || !comment.startsWith(UNTRUSTED) || key === undefined || more.length > 0) {
    throw new Error('no minisign public key: not its two lines');
  }
  const fields = decodeBase64(KEY, key, 'minisign public key');
  if (algorithmOf(fields.algorithm) !== 'Ed') throw new Error('no minisign public key: not for Ed25519');
  const der = Buffer.concat([ED25519_DER, fields.publicKey]);
  return { id: formatKeyId(fields.keyId), key: createPublicKey({ key: der, format: 'der', type: 'spki' }) };
}

/**
 * Parses a signature file (NAME.minisig).
 * @throws Error saying what is wrong
 */
export function parseMinisignSignature(text: string): MinisignSignature {
  const [comment, signature, trusted, globalSignature, ...more] = linesOf(text);
  if (!comment?.startsWith(UNTRUSTED) || !trusted?.startsWith(TRUSTED) || more.length > 0) {
    throw new Error('no minisign signature: not its four lines');
  }
  const fields = decodeBase64(SIGNATURE, signature ?? '', 'minisign signature');
  const algorithm = algorithmOf(fields.algorithm);
  if (algorithm !== 'Ed' && algorithm !== 'ED') throw new Error('no minisign signature: unknown algorithm');
  return {
    keyId: formatKeyId(fields.keyId),
    prehashed: algorithm === 'ED',
    signature: fields.signature,
    trustedComment: trusted.slice(TRUSTED.length),
    globalSignature: decodeBase64(bytesOf(64), globalSignature ?? '', 'minisign signature'),
  };
}

/** The text of a signature file. Its untrusted comment says by which key it is. */
export function encodeMinisignSignature(of: MinisignSignature): string {
  const { keyId, prehashed, signature, trustedComment, globalSignature } = of;
  const algorithm = Buffer.from(prehashed ? 'ED' : 'Ed', 'latin1');
  const fields = Buffer.alloc(SIGNATURE_BYTES);
  SIGNATURE.write({ algorithm, keyId: BigInt(`0x${keyId}`), signature }, fields, 0);
  return [
    `${UNTRUSTED}signature by key ${keyId}`,
    fields.toString('base64'),
    TRUSTED + trustedComment,
    Buffer.from(globalSignature).toString('base64'),
    '',
  ].join('\n');
}

/**
 * Checks a signature: by one of `keys`, over `message`, its trusted comment genuine.
 * @param message the signed file, for an image its index file
 * @returns the key that signed
 * @throws Error saying why it is not good
 */
export function verifyMinisign<K extends MinisignKey>(
  message: Uint8Array,
  signature: MinisignSignature,
  keys: readonly K[],
): K {
  const candidates = keys.filter((key) => key.id === signature.keyId);
  if (candidates.length === 0) throw new Error(`signed by key ${signature.keyId}, which is not among the known ones`);
  const signed = signature.prehashed ? hash('blake2b512', message, 'buffer') : message;
  // Key ids are eight random bytes that anyone can copy, so more than one key may have this one.
  const signer = candidates.find(({ key }) => verify(null, signed, key, signature.signature));
  if (signer === undefined) throw new Error(`signature by key ${signature.keyId} does not fit: the file was changed`);
  const commented = Buffer.concat([signature.signature, Buffer.from(signature.trustedComment)]);
  if (!verify(null, commented, signer.key, signature.globalSignature)) {
    throw new Error(`signature by key ${signature.keyId}: its trusted comment was changed`);
  }
  return signer;
}

/**
 * Checks what can be checked without the signed file: the signature names one of `keys`, and that key has signed it
 * together with its trusted comment. So somebody who has the key made it, for whatever file.
 * @throws Error saying why it is not good
 */
export function verifySignatureAlone(signature: MinisignSignature, keys: readonly MinisignKey[]): void {
  const candidates = keys.filter((key) => key.id === signature.keyId);
  if (candidates.length === 0) throw new Error(`signed by key ${signature.keyId}, which is not among the known ones`);
  const commented = Buffer.concat([signature.signature, Buffer.from(signature.trustedComment)]);
  if (candidates.some(({ key }) => verify(null, commented, key, signature.globalSignature))) return;
  throw new Error(`not made by key ${signature.keyId}, whose it says it is`);
}

export function linesOf(text: string): string[] {
  if (text.length > MINISIGN_FILE_LIMIT) throw new Error(`${text.length} characters are too many for minisign`);
  const lines = text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

export function decodeBase64<T>(codec: Codec<T>, text: string, what: string): T {
  const raw = Buffer.from(text, 'base64');
  // Node passes over what is no base64; this does not.
  if (raw.toString('base64') !== text) throw new Error(`no ${what}: not base64`);
  try {
    const [value, end] = codec.read(raw, 0);
    if (end === raw.length) return value;
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
  }
  throw new Error(`no ${what}: ${raw.length} bytes are not its length`);
}

function algorithmOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

export function formatKeyId(id: bigint): string {
  return id.toString(16).toUpperCase();
}
