import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parseMinisignKey } from '../../../src/image/minisign.ts';
import { parseMinisignSecret } from '../../../src/image/minisign-secret.ts';
import {
  encodeRelease,
  formatTime,
  isExpired,
  parseRelease,
  parseTime,
  RELEASE_LIMIT_BYTES,
  type Release,
  type ReleaseWord,
  signRelease,
  verifyRelease,
  whyRefused,
} from '../../../src/image/release.ts';
import { temporaryFolder } from './images.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
execFileSync('minisign', ['-G', '-W', '-p', folder.at('k.pub'), '-s', folder.at('k.sec')], { stdio: 'pipe' });
execFileSync('minisign', ['-G', '-W', '-p', folder.at('other.pub'), '-s', folder.at('other.sec')], { stdio: 'pipe' });
const secret = parseMinisignSecret(readFileSync(folder.at('k.sec'), 'utf8')).unlock();
const keys = [parseMinisignKey(readFileSync(folder.at('k.pub'), 'utf8'))];
const others = [parseMinisignKey(readFileSync(folder.at('other.pub'), 'utf8'))];

const SEVEN: Release = {
  name: 'class',
  version: 7,
  image: { name: 'class-7', id: 'ab'.repeat(32) },
  sizeBytes: 199_229_440,
  expiresSeconds: parseTime('2026-12-27T16:40:00Z'),
  for: [
    [{ kind: 'host', pattern: 'pc-3' }],
    [
      { kind: 'role', name: 'class' },
      { kind: 'share', percent: 10 },
    ],
  ],
  when: 'reboot',
  instead: { name: 'class-6', id: 'cd'.repeat(32) },
};

/** As docs/roll-out.md shows it. */
const TEXT = `viver release 1
name: class
version: 7
image: class-7@sha256:${'ab'.repeat(32)}
size: 199229440
expires: 2026-12-27T16:40:00Z
for: host:pc-3
for: role:class share:10%
when: reboot
instead: class-6@sha256:${'cd'.repeat(32)}
`;

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,30}$/);
const image = fc.record({ name, id: fc.stringMatching(/^[0-9a-f]{64}$/) }, { noNullPrototype: true });
const word: fc.Arbitrary<ReleaseWord> = fc.oneof(
  fc.constant({ kind: 'all' as const }),
  fc.record(
    { kind: fc.constant('host' as const), pattern: fc.stringMatching(/^[a-z0-9.*?-]{1,20}$/) },
    { noNullPrototype: true },
  ),
  fc.record(
    { kind: fc.constant('mac' as const), pattern: fc.stringMatching(/^[0-9a-f:*?]{1,17}$/) },
    { noNullPrototype: true },
  ),
  fc.record(
    { kind: fc.constant('role' as const), name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,20}$/) },
    { noNullPrototype: true },
  ),
  fc.record(
    { kind: fc.constant('share' as const), percent: fc.integer({ min: 1, max: 100 }) },
    { noNullPrototype: true },
  ),
);
const release: fc.Arbitrary<Release> = fc.record(
  {
    name,
    version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    image,
    sizeBytes: fc.integer({ min: 1, max: 2 ** 45 }),
    expiresSeconds: fc.integer({ min: 0, max: 4_000_000_000 }),
    for: fc.array(fc.array(word, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 }),
    when: fc.constantFrom('reboot' as const, 'now' as const),
    instead: image,
  },
  {
    noNullPrototype: true,
    requiredKeys: ['name', 'version', 'image', 'sizeBytes', 'expiresSeconds', 'for', 'when'],
  },
);

describe('the text of a release', () => {
  test('is the one of the documentation', () => {
    expect(encodeRelease(SEVEN)).toBe(TEXT);
    expect(parseRelease(TEXT)).toEqual({ release: SEVEN, text: TEXT, body: TEXT, signature: undefined });
  });

  test('whatever a release says is read again as it was', () => {
    fc.assert(
      fc.property(release, (one) => {
        expect(parseRelease(encodeRelease(one)).release).toEqual(one);
      }),
    );
  });

  test('any text is a release, and then written as it was read, or one error', () => {
    const lines = TEXT.split('\n');
    const mutated = fc
      .tuple(fc.nat(lines.length - 1), fc.string({ maxLength: 80 }), fc.constantFrom('replace', 'add', 'take', 'swap'))
      .map(([at, text, how]) => {
        const copy = [...lines];
        if (how === 'replace') copy[at] = text;
        else if (how === 'add') copy.splice(at, 0, text);
        else if (how === 'take') copy.splice(at, 1);
        else [copy[at], copy[0]] = [copy[0] ?? '', copy[at] ?? ''];
        return copy.join('\n');
      });
    fc.assert(
      fc.property(
        fc.oneof(
          mutated,
          fc.string(),
          fc.string().map((text) => TEXT + text),
        ),
        (text) => {
          try {
            expect(encodeRelease(parseRelease(text).release)).toBe(text);
          } catch (error) {
            expect((error as Error).message).toMatch(/^(no release|'.*' is n|no minisign|\d+ characters)/s);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test.each([
    ['another order', TEXT.replace(/(version: 7\n)(image: .*\n)/, '$2$1')],
    ['a blank too many', TEXT.replace('version: 7', 'version:  7')],
    ['a leading zero', TEXT.replace('version: 7', 'version: 07')],
    ['version 0', TEXT.replace('version: 7', 'version: 0')],
    ['a number that is none', TEXT.replace('version: 7', 'version: 9007199254740993')],
    ['Windows line ends', TEXT.replaceAll('\n', '\r\n')],
    ['large hex digits', TEXT.replace('ab'.repeat(32), 'AB'.repeat(32))],
    ['an image without an id', TEXT.replace(`@sha256:${'ab'.repeat(32)}`, '')],
    ['a suffix that is understood elsewhere', TEXT.replace('image: class-7@', 'image: class-7.sqfs@')],
    ['a day that is none', TEXT.replace('2026-12-27', '2026-02-30')],
    ['a share of nothing', TEXT.replace('share:10%', 'share:0%')],
    ['no end', TEXT.slice(0, -1)],
    ['too many lines', TEXT.replace('for: host:pc-3\n', 'for: host:pc-3\n'.repeat(30))],
    ['too many words', TEXT.replace('for: host:pc-3\n', `for:${' host:pc-3'.repeat(30)}\n`)],
    ['too many bytes', TEXT + 'x'.repeat(RELEASE_LIMIT_BYTES)],
  ])('%s is refused', (_, text) => {
    expect(() => parseRelease(text)).toThrow();
  });

  test('what cannot be written is not', () => {
    expect(() => encodeRelease({ ...SEVEN, name: 'two words' })).toThrow('is no name');
    expect(() => encodeRelease({ ...SEVEN, version: 1.5 })).toThrow('no number');
    const everybody: ReleaseWord = { kind: 'host', pattern: 'pc\nfor: all' };
    expect(() => encodeRelease({ ...SEVEN, for: [[everybody]] })).toThrow('reads as another one');
    expect(() => encodeRelease({ ...SEVEN, for: [] })).toThrow("'for: …' is missing");
  });
});

describe('the signature', () => {
  test('minisign takes it, once release and signature are two files', () => {
    const text = signRelease(TEXT, secret);
    writeFileSync(folder.at('class-7.release'), text);
    // The two commands of docs/roll-out.md.
    execFileSync('sh', [
      '-c',
      `cd ${folder.path} && sed '/^untrusted comment:/,$d' class-7.release > text && sed -n '/^untrusted comment:/,$p' class-7.release > text.minisig`,
    ]);
    const judged = ['-V', '-p', folder.at('k.pub'), '-m', folder.at('text')];
    expect(execFileSync('minisign', judged, { encoding: 'utf8' })).toContain('Trusted comment: release class 7');
  });

  test('fits the key it was made by, and no other text', () => {
    const read = parseRelease(signRelease(TEXT, secret));
    expect(read.release).toEqual(SEVEN);
    expect(verifyRelease(read, keys)).toBe(keys[0]);
    expect(() => verifyRelease(read, others)).toThrow('not among the known ones');
    expect(() => verifyRelease(parseRelease(TEXT), keys)).toThrow('the release is not signed');
    expect(() => verifyRelease(parseRelease(read.text.replace('version: 7', 'version: 8')), keys)).toThrow(
      'the file was changed',
    );
  });

  test('one byte changed anywhere is a release no more', () => {
    const text = Buffer.from(signRelease(TEXT, secret));
    const untrusted = text.indexOf('untrusted comment: ') + 'untrusted comment: '.length;
    const end = text.indexOf('\n', untrusted);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
        fc.pre(at < untrusted || at > end);
        const changed = Buffer.from(text);
        changed[at] = (changed[at] ?? 0) ^ difference;
        expect(() => verifyRelease(parseRelease(changed.toString('utf8')), keys)).toThrow();
      }),
    );
  });
});

describe('what follows what', () => {
  const version = (number: number, change: Partial<Release> = {}) =>
    parseRelease(encodeRelease({ ...SEVEN, version: number, ...change }));
  const before = SEVEN.expiresSeconds - 1;

  test('an older version than one seen is refused, and a second one of the same version', () => {
    expect(whyRefused(version(7), undefined, before)).toBeUndefined();
    expect(whyRefused(version(8), version(7), before)).toBeUndefined();
    expect(whyRefused(version(7), version(7), before)).toBeUndefined();
    expect(whyRefused(version(6), version(7), before)).toBe('class 6 is older than 7, which was seen');
    expect(whyRefused(version(7, { when: 'now' }), version(7), before)).toBe('there is another release class 7');
  });

  test('who wants the old image back makes a higher version of it', () => {
    const { instead = SEVEN.image } = SEVEN;
    expect(whyRefused(version(8, { image: instead }), version(7), before)).toBeUndefined();
  });

  test('an expired one is not taken up; one that was taken up before stays', () => {
    const late = SEVEN.expiresSeconds;
    expect(whyRefused(version(7), version(6), late)).toBe('class 7 has expired (2026-12-27T16:40:00Z)');
    expect(whyRefused(version(7), version(7), late)).toBeUndefined();
    expect([before, late].map((now) => isExpired(SEVEN, now))).toEqual([false, true]);
  });

  test('times are written one way', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        expect(parseTime(formatTime(seconds))).toBe(seconds);
      }),
    );
    for (const text of ['2026-12-27', '2026-12-27T16:40:00', '2026-12-27T16:40:00.000Z', '2026-12-27T24:00:00Z', ''])
      expect(() => parseTime(text), text).toThrow('is no time');
  });
});
