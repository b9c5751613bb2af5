import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parseMinisignKey, parseMinisignSignature, verifyMinisign } from '../../../src/image/minisign.ts';
import { parseMinisignSecret, signMinisign } from '../../../src/image/minisign-secret.ts';
import { noise, temporaryFolder } from './images.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const message = noise(5000);
writeFileSync(folder.at('message'), message);

/** Keys of minisign's making; with a password when one is given. */
function makeKey(name: string, password?: string): { secret: string; pub: string } {
  const words = `-G ${password === undefined ? '-W' : ''} -p ${folder.at(`${name}.pub`)} -s ${folder.at(`${name}.sec`)}`;
  // With little memory minisign takes a derivation that costs less than its usual 1 GiB.
  execFileSync('sh', ['-c', `ulimit -v 200000; exec minisign ${words}`], {
    ...(password !== undefined && { input: `${password}\n${password}\n` }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  return {
    secret: readFileSync(folder.at(`${name}.sec`), 'utf8'),
    pub: readFileSync(folder.at(`${name}.pub`), 'utf8'),
  };
}

/** What minisign says of a signature of `message`. */
function judged(name: string, signature: string): string {
  writeFileSync(folder.at('message.minisig'), signature);
  return execFileSync('minisign', ['-V', '-p', folder.at(`${name}.pub`), '-m', folder.at('message')], {
    encoding: 'utf8',
  });
}

const open = makeKey('open');
const locked = makeKey('locked', 'pässword 1');

describe('signMinisign', () => {
  test('minisign takes the signature and its comment', () => {
    const secret = parseMinisignSecret(open.secret).unlock();
    const said = judged('open', signMinisign(message, secret, 'school\t2026, ünsigned no more'));
    expect(said).toContain('Signature and comment signature verified');
    expect(said).toContain('Trusted comment: school\t2026, ünsigned no more');
  });

  test('so it does by a key with a password; a wrong one is told', () => {
    const file = parseMinisignSecret(locked.secret);
    expect(file.needsPassword).toBe(true);
    expect(judged('locked', signMinisign(message, file.unlock('pässword 1'), 'by password'))).toContain('by password');
    expect(() => file.unlock('password 1')).toThrow('the password of the minisign secret key is wrong');
    expect(() => file.unlock()).toThrow('has a password');
  });

  test('what is signed here is verified here', () => {
    const secret = parseMinisignSecret(open.secret).unlock();
    const keys = [parseMinisignKey(open.pub)];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.stringMatching(/^[^\p{Cc}]{0,80}$/u), (bytes, comment) => {
        const signature = parseMinisignSignature(signMinisign(bytes, secret, comment));
        expect(signature.trustedComment).toBe(comment);
        expect(verifyMinisign(bytes, signature, keys)).toBe(keys[0]);
      }),
    );
  });

  test.each(['two\nlines', 'a\rreturn', 'a\0zero', 'x'.repeat(8001)])(
    'refuses a comment that is no line',
    (comment) => {
      const secret = parseMinisignSecret(open.secret).unlock();
      expect(() => signMinisign(message, secret, comment)).toThrow('a trusted comment');
    },
  );
});

describe('parseMinisignSecret', () => {
  test('any text is a key or one error', () => {
    const [comment = '', key = ''] = open.secret.split('\n');
    const raw = Buffer.from(key, 'base64');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: raw.length - 3, maxLength: raw.length + 3 }), (bytes) => {
        expect(() => parseMinisignSecret(`${comment}\n${Buffer.from(bytes).toString('base64')}\n`)).toThrow(
          /minisign secret key/,
        );
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => parseMinisignSecret(text)).toThrow(/minisign/);
      }),
    );
  });

  test('a damaged key signs nothing, and one that wants all memory is refused', () => {
    const [comment = '', key = ''] = open.secret.split('\n');
    const raw = Buffer.from(key, 'base64');
    const changed = (at: number, byte: number, of = raw): string => {
      const copy = Buffer.from(of);
      copy[at] = byte;
      return `${comment}\n${copy.toString('base64')}\n`;
    };
    // Behind algorithms (6), salt (32), limits (16) and the key id (8): the seed.
    expect(() => parseMinisignSecret(changed(62, (raw[62] ?? 0) ^ 1)).unlock()).toThrow('damaged minisign secret key');
    expect(() => parseMinisignSecret(changed(0, 0x58))).toThrow('not for Ed25519');
    expect(() => parseMinisignSecret(changed(2, 0x58))).toThrow('unknown derivation');
    const hungry = Buffer.from(locked.secret.split('\n')[1] ?? '', 'base64');
    expect(() => parseMinisignSecret(changed(53, 1, hungry)).unlock('x')).toThrow('more than 2 GiB');
    const slow = changed(45, 1, hungry);
    expect(() => parseMinisignSecret(slow).unlock('x')).toThrow('more than 2 GiB');
  });
});
