/**
 * A release: which image machines are to boot from now on, in a small signed text (docs/roll-out.md has the format).
 *
 *     viver release 1
 *     name: class                                  what is rolled out; versions are counted for each name by itself
 *     version: 7                                   grows
 *     image: class-7@sha256:HEX                    the image and its id
 *     size: 199229440                              of the image, in bytes
 *     expires: 2026-12-27T16:40:00Z                UTC; nobody takes it up for the first time after that
 *     for: role:class share:10%                    whom it is for: all words of one line, any of the lines
 *     when: reboot                                 or now
 *     instead: class-6@sha256:HEX                  what the others boot, and who fails; may be left out
 *     untrusted comment: …                         a signature by minisign over all lines above, its four lines
 *
 * There is one way to write each release, so whoever reads it can compare bytes. Pure.
 */

import { isDeepStrictEqual } from 'node:util';
import { isImageName } from './image-name.ts';
import { formatImageReference, type ImageReference, parseImageReference } from './image-reference.ts';
import {
  type MinisignKey,
  type MinisignSignature,
  parseMinisignSignature,
  UNTRUSTED,
  verifyMinisign,
} from './minisign.ts';
import { type MinisignSecret, signMinisign } from './minisign-secret.ts';

/** A release with its signature has at most so many bytes: it fits into one message of the field. */
export const RELEASE_LIMIT_BYTES = 4096;
export const RELEASE_SUFFIX = '.release';

/** A machine this word is about. `*` and `?` in patterns; `share` in percent of the machines, 1 to 100. */
export type ReleaseWord =
  | { readonly kind: 'all' }
  | { readonly kind: 'host' | 'mac'; readonly pattern: string }
  | { readonly kind: 'role'; readonly name: string }
  | { readonly kind: 'share'; readonly percent: number };

export interface PinnedImage {
  readonly name: string;
  /** 64 lower-case hex digits. */
  readonly id: string;
}

export interface Release {
  readonly name: string;
  /** 1 and more. */
  readonly version: number;
  readonly image: PinnedImage;
  readonly sizeBytes: number;
  /** Seconds since 1970. */
  readonly expiresSeconds: number;
  /** A machine gets it when all words of one of these lines are about it. */
  readonly for: readonly (readonly ReleaseWord[])[];
  /** `now`: running machines change at once; `reboot`: when they are started the next time. */
  readonly when: 'reboot' | 'now';
  readonly instead?: PinnedImage;
}

/** A release as it was read: what it says, and what is needed to check who says it. */
export interface ReadRelease {
  readonly release: Release;
  /** All of it, signature too. */
  readonly text: string;
  /** What a signature is over. */
  readonly body: string;
  readonly signature: MinisignSignature | undefined;
}

const HEAD = 'viver release 1';
const MOST_LINES = 16;
const MOST_WORDS = 8;

/** @throws Error when it cannot be written so that everybody reads the same */
export function encodeRelease(release: Release): string {
  const { name, version, image, sizeBytes, expiresSeconds, when, instead } = release;
  const lines = [
    HEAD,
    `name: ${name}`,
    `version: ${version}`,
    `image: ${formatImageReference(image)}`,
    `size: ${sizeBytes}`,
    `expires: ${formatTime(expiresSeconds)}`,
    ...release.for.map((words) => `for: ${words.map(formatWord).join(' ')}`),
    `when: ${when}`,
    ...(instead === undefined ? [] : [`instead: ${formatImageReference(instead)}`]),
    '',
  ];
  const body = lines.join('\n');
  if (!isDeepStrictEqual(parseRelease(body).release, release)) throw new Error('a release that reads as another one');
  return body;
}

/** @param body what encodeRelease gives @throws Error when it becomes too large */
export function signRelease(body: string, secret: MinisignSecret): string {
  const { release } = parseRelease(body);
  const text = body + signMinisign(Buffer.from(body), secret, `release ${release.name} ${release.version}`);
  parseRelease(text);
  return text;
}

/**
 * Reads a release. Its signature is not checked: verifyRelease.
 * @throws Error that says what is wrong
 */
export function parseRelease(text: string): ReadRelease {
  if (Buffer.byteLength(text) > RELEASE_LIMIT_BYTES)
    throw new Error(`no release: more than ${RELEASE_LIMIT_BYTES} bytes`);
  const at = text.indexOf(`\n${UNTRUSTED}`) + 1;
  const body = at === 0 ? text : text.slice(0, at);
  const release = parseBody(body);
  return { release, text, body, signature: at === 0 ? undefined : parseMinisignSignature(text.slice(at)) };
}

/**
 * Checks that one of `keys` signed it.
 * @returns the key
 * @throws Error saying why it is not good
 */
export function verifyRelease<K extends MinisignKey>({ body, signature }: ReadRelease, keys: readonly K[]): K {
  if (signature === undefined) throw new Error('the release is not signed');
  return verifyMinisign(Buffer.from(body), signature, keys);
}

/**
 * Whether a release follows those that were seen before of the same name. A release that is expired is nobody's first:
 * who kept an old one back cannot bring it later.
 * @param seen the newest of its name that was seen
 * @returns why it is refused; undefined when it is not
 */
export function whyRefused(next: ReadRelease, seen: ReadRelease | undefined, nowSeconds: number): string | undefined {
  const { name, version, expiresSeconds } = next.release;
  const newest = seen?.release.version ?? 0;
  if (version < newest) return `${name} ${version} is older than ${newest}, which was seen`;
  if (version === newest && seen?.body !== next.body) return `there is another release ${name} ${version}`;
  if (version === newest) return undefined;
  if (isExpired(next.release, nowSeconds)) return `${name} ${version} has expired (${formatTime(expiresSeconds)})`;
  return undefined;
}

export function isExpired({ expiresSeconds }: Release, nowSeconds: number): boolean {
  return nowSeconds >= expiresSeconds;
}

/** `2026-12-27T16:40:00Z` */
export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** The inverse of formatTime. @throws Error for what is no such time */
export function parseTime(text: string): number {
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms) || ms < 0 || formatTime(ms / 1000) !== text)
    throw new Error(`'${text}' is no time as 2026-12-27T16:40:00Z`);
  return ms / 1000;
}

export function formatWord(word: ReleaseWord): string {
  switch (word.kind) {
    case 'all':
      return 'all';
    case 'role':
      return `role:${word.name}`;
    case 'share':
      return `share:${word.percent}%`;
    default:
      return `${word.kind}:${word.pattern}`;
  }
}

const WORDS: Readonly<Record<string, RegExp>> = {
  host: /^[a-z0-9.*?-]{1,64}$/,
  mac: /^[0-9a-f:*?]{1,17}$/,
  role: /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/,
  share: /^(?:[1-9]\d?|100)%$/,
};

/** @throws Error for what is no word about machines */
export function parseWord(text: string): ReleaseWord {
  if (text === 'all') return { kind: 'all' };
  const colon = text.indexOf(':');
  const kind = colon < 0 ? '' : text.slice(0, colon);
  const value = text.slice(colon + 1);
  if (!Object.hasOwn(WORDS, kind) || !WORDS[kind]?.test(value))
    throw new Error(`'${text}' is none of all, host:NAME, mac:MAC, role:NAME, share:1%…100%`);
  if (kind === 'role') return { kind, name: value };
  if (kind === 'share') return { kind, percent: Number(value.slice(0, -1)) };
  return { kind: kind as 'host' | 'mac', pattern: value };
}

function parseBody(body: string): Release {
  const lines = body.split('\n');
  if (lines.shift() !== HEAD) throw new Error(`no release: its first line is not '${HEAD}'`);
  if (lines.pop() !== '' || lines.length > MOST_LINES + 8) throw new Error('no release: not its lines');
  const take = (key: string): string => {
    const value = takeMaybe(key);
    if (value === undefined) throw new Error(`no release: '${key}: …' is missing, or not at its place`);
    return value;
  };
  const takeMaybe = (key: string): string | undefined => {
    if (lines[0]?.startsWith(`${key}: `) !== true) return undefined;
    return lines.shift()?.slice(key.length + 2);
  };
  const name = take('name');
  if (!isImageName(name)) throw new Error(`no release: '${name.slice(0, 80)}' is no name`);
  const version = parseCount('version', take('version'));
  const image = parsePinned('image', take('image'));
  const sizeBytes = parseCount('size', take('size'));
  const expiresSeconds = parseTime(take('expires'));
  const whom: ReleaseWord[][] = [];
  for (let words = take('for'); ; ) {
    whom.push(words.split(' ').map(parseWord));
    if (whom.length > MOST_LINES) throw new Error(`no release: more than ${MOST_LINES} lines 'for:'`);
    if ((whom.at(-1)?.length ?? 0) > MOST_WORDS)
      throw new Error(`no release: more than ${MOST_WORDS} words after 'for:'`);
    const more = takeMaybe('for');
    if (more === undefined) break;
    words = more;
  }
  const when = take('when');
  if (when !== 'reboot' && when !== 'now') throw new Error("no release: 'when:' is none of reboot, now");
  const other = takeMaybe('instead');
  if (lines.length > 0) throw new Error(`no release: a line that is none of its own after '${when}'`);
  const instead = other === undefined ? {} : { instead: parsePinned('instead', other) };
  return { name, version, image, sizeBytes, expiresSeconds, for: whom, when, ...instead };
}

function parseCount(key: string, text: string): number {
  const count = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(count)) throw new Error(`no release: '${key}: ${text.slice(0, 40)}' is no number from 1`);
  return count;
}

function parsePinned(key: string, text: string): PinnedImage {
  const { name, id }: ImageReference = parseImageReference(text);
  if (id === undefined || formatImageReference({ name, id }) !== text)
    throw new Error(`no release: '${key}:' is not NAME@sha256: and 64 small hex digits`);
  return { name, id };
}
