import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IndexFormatError, TrieIndex } from '../../../src/hardware/trie-index.ts';
import { kernelModules } from './kernel-tree.ts';

const bytes = readFileSync(join(kernelModules(), 'modules.alias.bin'));
const key = 'pci:v00008086d00007010sv00001AF4sd00001100bc01sc01i80';

test('a file that is no index is refused with a hint', () => {
  expect(() => new TrieIndex(Buffer.from('alias a b\n'), 'x.bin')).toThrow(/x\.bin is no depmod index: run depmod/);
  expect(() => new TrieIndex(Buffer.alloc(0), 'x.bin')).toThrow(IndexFormatError);
});

test('an index of another version is refused', () => {
  const other = Buffer.from(bytes.subarray(0, 12));
  other.writeUInt32BE(0x00030001, 4);
  expect(() => new TrieIndex(other, 'x.bin')).toThrow(/version 3/);
});

test('an index cut short answers or says so, and never hangs', () => {
  const whole = new TrieIndex(bytes, 'whole').searchWild(key);
  fc.assert(
    fc.property(fc.integer({ min: 12, max: bytes.length - 1 }), (length) => {
      try {
        const found = new TrieIndex(bytes.subarray(0, length), 'cut').searchWild(key);
        expect(whole).toEqual(found);
      } catch (error) {
        expect(error).toBeInstanceOf(IndexFormatError);
      }
    }),
    { numRuns: 300 },
  );
});

test('an index with damaged bytes answers something or says so, and never hangs', () => {
  const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 2_000 });
  fc.assert(
    fc.property(damage, (places) => {
      const damaged = Buffer.from(bytes);
      for (const [at, value] of places) damaged[at] = value;
      try {
        const index = new TrieIndex(damaged, 'damaged');
        index.searchWild(key);
        index.search('ext4');
      } catch (error) {
        expect(error).toBeInstanceOf(IndexFormatError);
      }
    }),
    { numRuns: 100 },
  );
});

test('a node that is its own child ends in an error', () => {
  const loop = Buffer.alloc(24);
  loop.writeUInt32BE(0xb007f457, 0);
  loop.writeUInt32BE(0x00020001, 4);
  loop.writeUInt32BE(0x2000000c, 8);
  loop[12] = 0x2a;
  loop[13] = 0x2a;
  loop.writeUInt32BE(0x2000000c, 14);
  expect(() => new TrieIndex(loop, 'loop').searchWild('a')).toThrow(IndexFormatError);
});
