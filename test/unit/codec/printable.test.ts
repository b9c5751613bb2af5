import { assert, constant, oneof, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { printable } from '../../../src/codec/printable.ts';

test.each([
  ['debian', 'debian'],
  ['Füße 雪 🎉', 'Füße 雪 🎉'],
  ['\x1b[2J\x1b]0;root\x07', '\\x1b[2J\\x1b]0;root\\x07'],
  ['a\nviver: root ready', 'a\\x0aviver: root ready'],
  ['\x9b31m', '\\x9b31m'],
  ['sqfs.\u202enib', 'sqfs.\\u{202e}nib'],
  ['\ud800x', '\\u{d800}x'],
])('%j is shown as %s', (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test('nothing that a terminal obeys is left of any text, and what is printable stays', () => {
  const any = oneof(string({ unit: 'binary' }), string({ unit: constant('\x1b') }), string({ unit: 'grapheme' }));
  assert(
    property(any, (text) => {
      const shown = printable(text);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
      expect(printable(shown)).toBe(shown);
      expect(shown.isWellFormed()).toBe(true);
    }),
  );
});
