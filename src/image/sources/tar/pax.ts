import { TarError } from './tar-error.ts';

/** What extension headers say of a member (POSIX.1-2017, "pax Extended Header"), by key; the value's bytes as they are. */
export type PaxRecords = ReadonlyMap<string, Buffer>;

const NEWLINE = 0x0a;
const EQUALS = 0x3d;
const BLANK = 0x20;
/** Of a record's length in decimal; more would be more than any header is allowed to have. */
const MOST_DIGITS = 10;

/**
 * The records `LENGTH KEY=VALUE\n` of a header. Of GNU's sparse format 0.0 a key comes many times; `repeated` collects
 * its values in order.
 * @throws TarError for what is no record
 */
export function parsePax(
  bytes: Uint8Array,
  repeated: (key: string, value: Buffer) => boolean = () => false,
): PaxRecords {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    // Some writers fill up with NULs.
    if (bytes[at] === 0 && bytes.subarray(at).every((byte) => byte === 0)) break;
    const blank = bytes.subarray(at, at + MOST_DIGITS + 1).indexOf(BLANK);
    const digits = Buffer.from(bytes.subarray(at, at + Math.max(0, blank))).toString('latin1');
    const length = /^[0-9]+$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length < blank + 3 || end > bytes.length || bytes[end - 1] !== NEWLINE) {
      throw new TarError('its extended header is damaged');
    }
    const record = bytes.subarray(at + blank + 1, end - 1);
    const equals = record.indexOf(EQUALS);
    if (equals < 1) throw new TarError('its extended header is damaged');
    const key = Buffer.from(record.subarray(0, equals)).toString('latin1');
    const value = Buffer.from(record.subarray(equals + 1));
    if (!repeated(key, value)) records.set(key, value);
    at = end;
  }
  return records;
}

/** A whole number, 0 or above. */
export function paxCount(records: PaxRecords, key: string): number | undefined {
  const value = records.get(key)?.toString('latin1');
  if (value === undefined || value === '') return undefined;
  const number = Number(value);
  if (!/^[0-9]+$/.test(value) || !Number.isSafeInteger(number))
    throw new TarError(`its ${key} is no size: ${short(value)}`);
  return number;
}

/** Seconds since 1970, maybe with a fraction, maybe below 0: the whole second it lies in. */
export function paxTime(records: PaxRecords, key: string): number | undefined {
  const value = records.get(key)?.toString('latin1');
  if (value === undefined || value === '') return undefined;
  if (!/^-?[0-9]+(\.[0-9]*)?$/.test(value)) throw new TarError(`its ${key} is no time: ${short(value)}`);
  return Math.floor(Number(value));
}

const short = (value: string): string => JSON.stringify(value.slice(0, 40));

const SCHILY = 'SCHILY.xattr.';
const LIBARCHIVE = 'LIBARCHIVE.xattr.';
/** By GNU tar: the context without the NUL that the kernel keeps behind it. */
const SELINUX = 'RHT.security.selinux';
/** By star and GNU tar: ACLs as text, which squashfs cannot keep; under the kernel's name for who counts them. */
const ACLS: readonly (readonly [key: string, name: string])[] = [
  ['SCHILY.acl.access', 'system.posix_acl_access'],
  ['SCHILY.acl.default', 'system.posix_acl_default'],
  ['SCHILY.acl.ace', 'system.nfs4_acl'],
];

/**
 * Extended attributes, names one character a byte. libarchive writes each by two keys, and in the name of both encodes what
 * is no plain letter; only the one is meant to be decoded.
 */
export function paxAttributes(records: PaxRecords): ReadonlyMap<string, Buffer> | undefined {
  const found = new Map<string, Buffer>();
  for (const [key, value] of records) {
    if (key.startsWith(LIBARCHIVE)) found.set(urlDecoded(key.slice(LIBARCHIVE.length)), base64(value));
    if (key === SELINUX) found.set('security.selinux', Buffer.concat([value, Buffer.alloc(1)]));
  }
  for (const [key, name] of ACLS) {
    const value = records.get(key);
    if (value !== undefined && value.length > 0) found.set(name, value);
  }
  for (const [key, value] of records) {
    if (key.startsWith(SCHILY) && !records.has(`${LIBARCHIVE}${key.slice(SCHILY.length)}`)) {
      found.set(key.slice(SCHILY.length), value);
    }
  }
  for (const name of found.keys()) {
    if (name === '' || name.includes('\0') || name.length > 255)
      throw new TarError('an attribute without a usable name');
  }
  return found.size === 0 ? undefined : found;
}

const urlDecoded = (text: string): string =>
  text.replace(/%([0-9A-Fa-f]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

const base64 = (value: Buffer): Buffer => Buffer.from(value.toString('latin1'), 'base64');
