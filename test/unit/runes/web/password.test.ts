import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import {
  hashPassword,
  isPassword,
  isPasswordHash,
  PasswordGate,
  passwordOf,
} from '../../../../src/runes/web/password.ts';

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

test('a hash knows its password, and no two are alike', async () => {
  const [one, two] = await Promise.all([hashPassword('sesam:öffne'), hashPassword('sesam:öffne')]);
  expect(isPasswordHash(one)).toBe(true);
  expect(one).not.toBe(two);
  expect(one).not.toContain('sesam');
  expect(await isPassword('sesam:öffne', one)).toBe(true);
  expect(await isPassword('sesam', one)).toBe(false);
  expect(await isPassword('x'.repeat(1 << 20), one)).toBe(false);
  await expect(isPassword('x', 'plain')).rejects.toThrow('no password hash');
});

test('of a header the password is what follows the first colon', () => {
  expect(passwordOf(basic('teacher:a:b'))).toBe('a:b');
  expect(passwordOf(basic(':'))).toBe('');
  for (const none of [undefined, '', 'Bearer x', 'Basic', basic('no colon'), `Basic ${'a'.repeat(5000)}`])
    expect(passwordOf(none)).toBeUndefined();
  assert(property(string(), (header) => typeof (passwordOf(header) ?? '') === 'string'));
});

test('a gate opens for the password, and an address that guesses has five guesses', async () => {
  const gate = new PasswordGate(await hashPassword('right'));
  const ask = (pair: string, from: string) => gate.isOpenFor(basic(pair), from);
  expect(await gate.isOpenFor(undefined, '10.0.0.1')).toBe(false);
  for (let i = 0; i < 5; i++) expect(await ask(`x:wrong${i}`, '10.0.0.1')).toBe(false);
  expect(await ask('x:right', '10.0.0.1')).toBe(false); // too late: it has guessed too often
  expect(await ask('x:right', '10.0.0.2')).toBe(true);
  for (let i = 0; i < 20; i++) expect(await ask('anybody:right', '10.0.0.2')).toBe(true);
});
