import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FieldKey, isSameProof, MAC_SIZE } from '../../../../src/field/wire/key.ts';

const key = new FieldKey(Buffer.from('a secret of enough bytes\n'));
const other = new FieldKey(Buffer.from('another secret of enough bytes'));

test('a sealed datagram opens with the same key only, and not when a bit of it is changed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(), (bytes, bit) => {
      const sealed = key.seal(bytes);
      expect(sealed.length).toBe(bytes.length + MAC_SIZE);
      expect(Buffer.from(key.open(sealed) ?? [])).toEqual(Buffer.from(bytes));
      expect(other.open(sealed)).toBeUndefined();
      const at = bit % (sealed.length * 8);
      sealed[at >> 3] = (sealed[at >> 3] as number) ^ (1 << (at & 7));
      expect(key.open(sealed)).toBeUndefined();
    }),
  );
  expect(key.open(new Uint8Array(3))).toBeUndefined();
});

test('a proof is good for one connection and one side of it', () => {
  const [a, b] = [Uint8Array.of(1), Uint8Array.of(2)];
  const proof = key.proof('dialler', a, b);
  expect(isSameProof(proof, key.proof('dialler', a, b))).toBe(true);
  expect(isSameProof(proof, key.proof('dialled', a, b))).toBe(false);
  expect(isSameProof(proof, key.proof('dialler', b, a))).toBe(false);
  expect(isSameProof(proof, other.proof('dialler', a, b))).toBe(false);
});

test('white space around the key is none of it, and a short key is refused', () => {
  expect(new FieldKey(Buffer.from('  a secret of enough bytes')).open(key.seal(Uint8Array.of(1)))).toBeDefined();
  expect(() => new FieldKey(Buffer.from('short'))).toThrow('16 bytes');
});
