import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Twins } from '../../../../src/field/store/twins.ts';

test('what is equal is found, whatever else there is', () => {
  const digests = Array.from({ length: 8 }, () => randomBytes(32));
  fc.assert(
    fc.property(fc.array(fc.nat(7), { minLength: 1, maxLength: 60 }), (kinds) => {
      const bytes = Buffer.concat(kinds.map((kind) => digests[kind] as Buffer));
      const twins = new Twins({ count: kinds.length, digests: bytes });
      kinds.forEach((kind, chunk) => {
        const others = kinds.flatMap((other, i) => (other === kind && i !== chunk ? [i] : []));
        expect([...twins.othersOf(chunk)].sort((a, b) => a - b)).toEqual(others);
        expect(twins.firstOf(chunk)).toBe(kinds.indexOf(kind));
      });
      digests.forEach((digest, kind) => {
        expect(twins.find(digest)).toBe(kinds.indexOf(kind));
      });
    }),
  );
});

test('an image of equal chunks costs no more than any other', () => {
  const count = 300_000;
  const began = process.cpuUsage();
  const twins = new Twins({ count, digests: new Uint8Array(count * 32) });
  expect(twins.firstOf(count - 1)).toBe(0);
  expect(process.cpuUsage(began).user / 1000).toBeLessThan(2000);
});
