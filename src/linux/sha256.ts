import { hash } from 'node:crypto';
import type { WrappedFunction } from 'node:ffi';
import { ownFunction } from './libc.ts';

const DIGEST_BYTES = 32;

let openssl: WrappedFunction | undefined;
let looked = false;

/**
 * SHA-256 of a few kilobytes without node:crypto, which takes a slow machine longer to load than its root to mount: by
 * the function of OpenSSL (SHA256(3)) that it would call itself. In bulk node:crypto's hash() is no slower.
 */
export function sha256(bytes: Uint8Array): Buffer {
  if (!looked) openssl = ownFunction('SHA256', { arguments: ['buffer', 'u64', 'buffer'], return: 'pointer' });
  looked = true;
  if (openssl === undefined) return hash('sha256', bytes, 'buffer');
  const digest = Buffer.alloc(DIGEST_BYTES);
  openssl(bytes, BigInt(bytes.length), digest);
  return digest;
}
