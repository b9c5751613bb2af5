import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  compareTables,
  differingScope,
  hashesOf,
  SUMMARY_ROWS,
  wholeScope,
} from '../../../../src/field/members/reconcile.ts';
import { VTable } from '../../../../src/field/members/v-table.ts';
import { makeRecord, STATE_UP } from '../../../../src/field/wire/record.ts';
import { UNKNOWN } from '../../../../src/field/wire/summary.ts';

function table(rows: readonly (readonly [node: number, version: number])[]): VTable {
  const made = new VTable();
  for (const [node, version] of rows) {
    made.merge(makeRecord({ node, life: 1, version, state: STATE_UP, address: '1.2.3.4:5', summary: UNKNOWN }));
  }
  return made;
}

const anyRows = fc.array(fc.tuple(fc.nat(400), fc.nat(3)), { maxLength: 300 });

test('exchanging what differs, scope by scope, makes any two tables equal', () => {
  fc.assert(
    fc.property(anyRows, anyRows, (left, right) => {
      const [a, b] = [table(left), table(right)];
      for (let rounds = 0; a.digest() !== b.digest() || a.size !== b.size; rounds++) {
        expect(rounds).toBeLessThan(50);
        const scope = differingScope(a, b.buckets, rounds * 37);
        const { send, want } = compareTables(b, scope, hashesOf(a, scope));
        const wanted = want.flatMap((node) => a.get(node) ?? []);
        for (const record of send) a.merge(record);
        for (const record of wanted) b.merge(record);
      }
      expect([...a.rows()].map(({ hash }) => hash).sort()).toEqual([...b.rows()].map(({ hash }) => hash).sort());
    }),
  );
});

test('equal tables differ in no bucket and exchange nothing', () => {
  fc.assert(
    fc.property(anyRows, (rows) => {
      const [a, b] = [table(rows), table([...rows].reverse())];
      expect(differingScope(a, b.buckets, 0).every((byte) => byte === 0)).toBe(true);
      expect(compareTables(a, wholeScope(), hashesOf(b, wholeScope()))).toEqual({ send: [], want: [] });
    }),
  );
});

test('a scope names no more rows than a datagram holds', () => {
  const large = table(Array.from({ length: 3000 }, (_, i) => [i * 7919, 1] as const));
  const scope = differingScope(large, new Uint32Array(256), 0);
  expect(hashesOf(large, scope).length).toBeLessThanOrEqual(SUMMARY_ROWS);
});
