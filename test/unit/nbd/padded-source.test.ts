import fc from 'fast-check';
import { expect, test } from 'vitest';
import { padToBlocks } from '../../../src/nbd/padded-source.ts';

test('a source of whole blocks is left as it is', () => {
  const source = { size: 8192, read: () => new Uint8Array() };
  expect(padToBlocks(source, 4096)).toBe(source);
});

test('reads over the end bring the bytes and then zeroes, whether they come at once or later', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 100 }),
      fc.nat(),
      fc.nat(),
      fc.boolean(),
      async (bytes, a, b, later) => {
        const padded = padToBlocks(
          {
            size: bytes.length,
            read(offset, length) {
              expect(offset + length).toBeLessThanOrEqual(bytes.length);
              const found = bytes.subarray(offset, offset + length);
              return later ? Promise.resolve(found) : found;
            },
          },
          16,
        );
        expect(padded.size % 16).toBe(0);
        const whole = Buffer.concat([bytes, Buffer.alloc(padded.size - bytes.length)]);
        const [start = 0, end = 0] = [a % (padded.size + 1), b % (padded.size + 1)].sort((x, y) => x - y);
        expect(Buffer.from(await padded.read(start, end - start))).toEqual(whole.subarray(start, end));
      },
    ),
  );
});
