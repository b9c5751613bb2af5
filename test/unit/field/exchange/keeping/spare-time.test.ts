import { expect, test } from 'vitest';
import { makeLengths } from '../../../../bench/field/crowd.ts';
import { bootingField } from './booting-field.ts';

test.each([
  [2, 3],
  [3, 5],
  [4, 8],
])(
  'machines that ran from the field of one that has the image hold it too, when their boots are over (seed %i)',
  (count, seed) => {
    const lengths = makeLengths(48 << 20, seed);
    const { simulator, add, addHolder } = bootingField(lengths, seed);
    const holder = addHolder();
    const others = Array.from({ length: count }, () => add([holder.address]));
    let read = 1;
    for (let at = 1000; at < 10_000; at += 100) {
      simulator.at(at, () => {
        for (const node of others) {
          const start = (read * 37) % (lengths.count - 2);
          simulator.event(node, { kind: 'read', read: read++, chunks: { start, end: start + 1 } });
          if (at % 1000 === 0) simulator.event(node, { kind: 'processors', others: 0.9 });
        }
      });
    }
    // The last that is heard of the processors: nothing else wakes a machine at which nothing is read.
    simulator.at(11_000, () => {
      for (const node of others) simulator.event(node, { kind: 'processors', others: 0.1 });
    });
    simulator.run(10_000);
    const atBoot = others.map(({ machine }) => machine.data?.held.count ?? 0);
    expect(Math.max(...atBoot)).toBeLessThan(lengths.count / 2);
    simulator.run(90_000);
    expect(others.map(({ machine }) => machine.data?.held.count)).toEqual(others.map(() => lengths.count));
  },
);
