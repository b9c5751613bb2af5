import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeMark, encodeMark, MARK_BYTES } from '../../../../src/root/keep/mark.ts';

test('a mark is one sector and says the size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), (sectors) => {
      const mark = encodeMark({ sizeBytes: sectors * 512 });
      expect(mark.length).toBe(MARK_BYTES);
      expect(decodeMark(mark)).toEqual({ sizeBytes: sectors * 512 });
    }),
  );
});

test('what is no mark gives none', () => {
  const sector = (text: string) => Uint8Array.from(Buffer.from(text.padEnd(512, '\0'), 'latin1'));
  expect(decodeMark(sector('VIVER-KEEP 1\nsize=512\n'))).toEqual({ sizeBytes: 512 });
  for (const text of ['', 'VIVER-KEEP 2\nsize=512\n', 'VIVER-KEEP 1\nsize=0\n', 'VIVER-KEEP 1\nsize=100\n'])
    expect(decodeMark(sector(text))).toBeUndefined();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => decodeMark(bytes) === undefined));
});
