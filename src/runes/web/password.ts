import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { RateLimit } from '../rate-limit.ts';

/**
 * Passwords as files that everybody may read hold them: `scrypt:SALT:HASH`, both in base64url (RFC 7914 with N 2^14,
 * r 8, p 1: 16 MB and some tens of milliseconds for each guess).
 */
const COST = { N: 1 << 14, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const FORM = /^scrypt:([A-Za-z0-9_-]{22}):([A-Za-z0-9_-]{43})$/;
const LONGEST_PASSWORD = 256;

const derive = (password: string, salt: Buffer): Promise<Buffer> =>
  promisify<string, Buffer, number, object, Buffer>(scrypt)(password, salt, HASH_BYTES, COST);

export const isPasswordHash = (text: string): boolean => FORM.test(text);

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  return `scrypt:${salt.toString('base64url')}:${(await derive(password, salt)).toString('base64url')}`;
}

/** @throws Error for what is no hash */
export async function isPassword(password: string, hash: string): Promise<boolean> {
  const [, salt, wanted] = FORM.exec(hash) ?? [];
  if (salt === undefined || wanted === undefined) throw new Error('no password hash');
  if (password.length > LONGEST_PASSWORD) return false;
  return timingSafeEqual(await derive(password, Buffer.from(salt, 'base64url')), Buffer.from(wanted, 'base64url'));
}

/** The password of an `Authorization: Basic …` header (RFC 7617), whatever the name before it. */
export function passwordOf(header: string | undefined): string | undefined {
  const [, encoded] = /^Basic ([A-Za-z0-9+/=]{1,1024})$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const pair = Buffer.from(encoded, 'base64').toString();
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : pair.slice(colon + 1);
}

/** An address may guess so often, and then once in ten seconds. */
const GUESSES = { burst: 5, perSecond: 0.1 };

/** Who may do something by a password: one guess at a time and few of one address, so that they cost the server little. */
export class PasswordGate {
  readonly #hash: string;
  readonly #guesses = new RateLimit(GUESSES);
  #right: string | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(hash: string) {
    this.#hash = hash;
  }

  /** @param header `Authorization` of a request that came from this address */
  async isOpenFor(header: string | undefined, from: string): Promise<boolean> {
    const password = passwordOf(header);
    if (password === undefined) return false;
    // Known to be right: a page that asks every two seconds costs nothing. It is in this process's memory alone.
    if (this.#right !== undefined && sameText(password, this.#right)) return true;
    if (!this.#guesses.allow(from, performance.now())) return false;
    const guess = this.#last.then(() => isPassword(password, this.#hash));
    // one that cannot be checked is no end of the others
    this.#last = guess.catch(() => undefined);
    if (!(await guess)) return false;
    this.#right = password;
    return true;
  }
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
