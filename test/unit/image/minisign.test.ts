import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parseMinisignKey, parseMinisignSignature, verifyMinisign } from '../../../src/image/minisign.ts';
import { noise, temporaryFolder } from './images.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const message = noise(5000);
writeFileSync(folder.at('message'), message);

function makeKey(name: string): string {
  execFileSync('minisign', ['-G', '-W', '-p', folder.at(`${name}.pub`), '-s', folder.at(`${name}.sec`)], {
    stdio: 'pipe',
  });
  return readFileSync(folder.at(`${name}.pub`), 'utf8');
}

function sign(key: string, ...options: string[]): string {
  const signature = folder.at(`${key}.minisig`);
  const words = ['-S', '-s', folder.at(`${key}.sec`), '-m', folder.at('message'), '-x', signature, ...options];
  execFileSync('minisign', words, { stdio: 'pipe' });
  return readFileSync(signature, 'utf8');
}

const ours = makeKey('ours');
const other = makeKey('other');
const prehashed = sign('ours', '-t', 'debian 12, ünsigned no more');
const legacy = sign('ours', '-l', '-t', 'old');
const keys = [other, ours].map(parseMinisignKey);

/** A line of a signature file changed: its base64 with a byte flipped. */
function flipped(text: string, line: number, byte: number): string {
  const lines = text.split('\n');
  const raw = Buffer.from(lines[line] ?? '', 'base64');
  raw[byte] = (raw[byte] ?? 0) ^ 1;
  lines[line] = raw.toString('base64');
  return lines.join('\n');
}

describe('verifyMinisign', () => {
  test.each([
    ['over the BLAKE2b-512 of the file', prehashed, true, 'debian 12, ünsigned no more'],
    ['over the file itself, as old minisign made them', legacy, false, 'old'],
  ])('takes a signature of minisign %s', (_what, text, isPrehashed, trustedComment) => {
    const signature = parseMinisignSignature(text);
    expect(signature).toMatchObject({ prehashed: isPrehashed, trustedComment });
    expect(verifyMinisign(message, signature, keys)).toBe(keys[1]);
    expect(ours).toContain(signature.keyId);
  });

  test.each([prehashed, legacy])('refuses a changed file', (text) => {
    const changed = Buffer.concat([message, Buffer.from('x')]);
    expect(() => verifyMinisign(changed, parseMinisignSignature(text), keys)).toThrow('the file was changed');
  });

  test('refuses a changed signature and a changed trusted comment', () => {
    const verify = (text: string) => () => verifyMinisign(message, parseMinisignSignature(text), keys);
    expect(verify(flipped(prehashed, 1, 20))).toThrow('the file was changed');
    expect(verify(prehashed.replace('debian 12', 'debian 13'))).toThrow('its trusted comment was changed');
    expect(verify(flipped(prehashed, 3, 5))).toThrow('its trusted comment was changed');
    // The algorithm is not signed, so a prehashed signature passed off as a plain one must not verify.
    expect(verify(flipped(prehashed, 1, 1).replace(/^RUV/m, 'RWR'))).toThrow();
  });

  test('refuses who is not among the known, also when a known key id is copied', () => {
    const signature = parseMinisignSignature(prehashed);
    expect(() => verifyMinisign(message, signature, [parseMinisignKey(other)])).toThrow(
      `signed by key ${signature.keyId}, which is not among the known ones`,
    );
    expect(() => verifyMinisign(message, signature, [])).toThrow('which is not among the known ones');
    const impostor = parseMinisignKey(other);
    expect(() => verifyMinisign(message, signature, [{ ...impostor, id: signature.keyId }])).toThrow('does not fit');
    const both = [{ ...impostor, id: signature.keyId }, ...keys];
    expect(verifyMinisign(message, signature, both)).toBe(keys[1]);
  });
});

test.each(['', 'x', 'untrusted comment: x', 'untrusted comment: x\nRWQ\n', `${'x'.repeat(70_000)}\n`, `${ours}more\n`])(
  'is no key: %j',
  (text) => {
    expect(() => parseMinisignKey(text)).toThrow(/minisign/);
  },
);

test('a key of another algorithm, a signature of an unknown one, and the one for the other are refused', () => {
  expect(() => parseMinisignKey(flipped(ours, 1, 0))).toThrow('not for Ed25519');
  expect(() => parseMinisignSignature(flipped(prehashed, 1, 0))).toThrow('unknown algorithm');
  expect(() => parseMinisignKey(prehashed)).toThrow('no minisign public key');
  expect(() => parseMinisignSignature(ours)).toThrow('no minisign signature');
});

test('a signature file cut short at any place is refused, save for its last line end', () => {
  for (let length = 0; length < legacy.length - 1; length++) {
    expect(() => parseMinisignSignature(legacy.slice(0, length))).toThrow(/minisign signature/);
  }
  expect(parseMinisignSignature(legacy.trimEnd()).trustedComment).toBe('old');
  expect(parseMinisignSignature(legacy.replaceAll('\n', '\r\n')).trustedComment).toBe('old');
});

test('on any text gives a key or a signature, or an Error that says which it is not', () => {
  const near = fc
    .tuple(fc.constantFrom(ours, prehashed), fc.nat(400), fc.string({ maxLength: 4 }))
    .map(([text, at, insert]) => text.slice(0, at) + insert + text.slice(at + insert.length));
  fc.assert(
    fc.property(fc.oneof(near, fc.string()), (text) => {
      for (const parse of [parseMinisignKey, parseMinisignSignature]) {
        try {
          parse(text);
        } catch (error) {
          expect((error as Error).message).toMatch(/minisign/);
        }
      }
    }),
  );
});
