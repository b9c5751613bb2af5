import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkChoice } from '../../../../../src/field/exchange/fetching/chunk-choice.ts';
import { ReadQueue } from '../../../../../src/field/exchange/fetching/read-queue.ts';
import { newSource } from '../../../../../src/field/exchange/fetching/source.ts';
import { ChunkSet } from '../../../../../src/field/wire/chunk-set.ts';

const SIZE = 4000;
const run = fc.record({ start: fc.nat(SIZE), length: fc.nat(3000), isIn: fc.boolean() });
const anySet = fc.array(run, { maxLength: 8 });

function setOf(runs: readonly { start: number; length: number; isIn: boolean }[]): ChunkSet {
  const set = new ChunkSet(SIZE);
  for (const { start, length, isIn } of runs) {
    for (let chunk = start; chunk < Math.min(start + length, SIZE); chunk++) isIn ? set.add(chunk) : set.delete(chunk);
  }
  return set;
}

test('what is chosen is what a source has, is wanted, is not here and not on order; all of it is found', () => {
  fc.assert(
    fc.property(
      fc.record({
        has: anySet,
        held: anySet,
        ordered: anySet,
        window: anySet,
        shared: anySet,
        start: fc.double({ min: 0, max: 0.999, noNaN: true }),
      }),
      fc.boolean(),
      ({ has, held, ordered, window, shared, start }, fill) => {
        const source = newSource(1, 1, '10.0.0.1:1', SIZE, 0);
        for (const chunk of setOf(has)) source.has.add(chunk);
        const reads = new ReadQueue(setOf(held));
        for (const chunk of setOf(window)) reads.window.add(chunk);
        const copies = { counts: new Uint16Array(SIZE).fill(1), shared: setOf(shared) };
        for (const chunk of copies.shared) copies.counts[chunk] = 2;
        const sets = { held: setOf(held), ordered: setOf(ordered), swaps: new ChunkSet(SIZE) };
        const choice = new ChunkChoice({ ...sets, lengths: { count: SIZE }, copies, reads, random: () => start });
        const may = Array.from({ length: SIZE }, (_, chunk) => chunk).filter(
          (chunk) => source.has.has(chunk) && !sets.held.has(chunk) && !sets.ordered.has(chunk),
        );
        const inWindow = may.filter((chunk) => reads.window.has(chunk));
        const wanted = inWindow.length > 0 ? inWindow : fill ? may : [];
        const { chunk, copies: rarity } = choice.rarest(source, fill ? 'anything' : 'nothing');
        if (wanted.length === 0) expect(chunk).toBe(-1);
        else {
          expect(wanted).toContain(chunk);
          expect(rarity).toBe(wanted.some((each) => copies.counts[each] === 1) ? 1 : 2);
        }
        const named = choice
          .onlyAt(source, fill ? 'anything' : 'nothing')
          .ranges.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i));
        const alone = (chunks: number[]): number[] => chunks.filter((each) => copies.counts[each] === 1);
        const expected = alone(inWindow).length > 0 ? alone(inWindow) : fill ? alone(may) : [];
        expect(named).toEqual(expected.slice(0, named.length));
        expect(named.length === 0).toBe(expected.length === 0);
      },
    ),
  );
});
