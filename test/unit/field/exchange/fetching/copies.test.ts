import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Copies } from '../../../../../src/field/exchange/fetching/copies.ts';
import { newSource } from '../../../../../src/field/exchange/fetching/source.ts';
import { ChunkSet } from '../../../../../src/field/wire/chunk-set.ts';
import { packHoldings } from '../../../../../src/field/wire/holdings.ts';
import { toRanges } from '../../../../../src/field/wire/ranges.ts';

const CHUNKS = 70;

function holdings(chunks: readonly number[]) {
  const set = new ChunkSet(CHUNKS);
  for (const chunk of chunks) set.add(chunk);
  return packHoldings(set, { start: 0, end: CHUNKS });
}

test('whatever sources tell and take back, each chunk is counted once for every source that holds it', () => {
  const anyChunks = fc.uniqueArray(fc.nat(CHUNKS + 5), { maxLength: 30 }).map((list) => list.sort((a, b) => a - b));
  const anyStep = fc.record({ source: fc.nat(3), all: fc.boolean(), added: anyChunks, removed: anyChunks });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 20 }), fc.nat(3), (steps, gone) => {
      const copies = new Copies(CHUNKS);
      const sources = [0, 1, 2, 3].map((conn) => newSource(conn, conn, '10.0.0.1:1', CHUNKS, 0));
      for (const { source, all, added, removed } of steps) {
        const told = sources[source];
        if (told === undefined) continue;
        if (all) copies.replace(told, holdings(added));
        else copies.change(told, toRanges(added), toRanges(removed));
      }
      sources.forEach((source, i) => {
        if (i === gone) copies.forget(source);
      });
      const staying = sources.filter((_, i) => i !== gone);
      for (let chunk = 0; chunk < CHUNKS; chunk++) {
        expect(copies.counts[chunk]).toBe(staying.filter(({ has }) => has.has(chunk)).length);
      }
    }),
  );
});
