import { expect, test } from 'vitest';
import { makeLengths } from '../../../../bench/field/crowd.ts';
import { bootingField } from './booting-field.ts';

/** Machines that run from the field of one that brought the image, and boot: their processors are busy. */
function booting(count: number) {
  const lengths = makeLengths(64 << 20, 3);
  const { simulator, add, addHolder } = bootingField(lengths, 7);
  const holder = addHolder();
  const others = Array.from({ length: count }, () => add([holder.address]));
  for (let at = 0; at < 120_000; at += 1000)
    simulator.at(at, () => {
      for (const node of simulator.nodes) simulator.event(node, { kind: 'processors', others: 0.9 });
    });
  const lost = () => {
    let count = 0;
    for (let chunk = 0; chunk < lengths.count; chunk++)
      if (!simulator.nodes.some((node) => node.isAlive && node.machine.data?.held.has(chunk) === true)) count++;
    return count;
  };
  return { simulator, lengths, holder, others, add, addHolder, lost };
}

test('beside a boot little is fetched ahead', () => {
  const { simulator, lengths, others } = booting(2);
  simulator.run(10_000);
  for (const { machine } of others) expect(machine.data?.held.count).toBeLessThan(lengths.count / 10);
});

test('the only machine with the whole image is switched off while all others boot: they take what only it has', () => {
  const { simulator, holder, lost } = booting(2);
  simulator.run(5000);
  simulator.event(holder, { kind: 'leave' });
  simulator.run(60_000);
  expect(holder.isAlive).toBe(false);
  expect(simulator.logs.filter((line) => /loses/.test(line))).toEqual([]);
  expect(lost()).toBe(0);
});

test('a machine that goes while another one has the whole image hurries nobody', () => {
  const { simulator, lengths, holder, others, addHolder } = booting(2);
  addHolder([holder.address]);
  simulator.run(5000);
  simulator.event(holder, { kind: 'leave' });
  simulator.run(10_000);
  for (const { machine } of others) expect(machine.data?.held.count).toBeLessThan(lengths.count / 10);
});

test('when it has gone, the boots go first again', () => {
  const { simulator, lengths, holder, add } = booting(2);
  simulator.run(5000);
  simulator.event(holder, { kind: 'leave' });
  simulator.run(40_000);
  const late = add(simulator.nodes.filter(({ isAlive }) => isAlive).map(({ address }) => address));
  simulator.run(45_000);
  const before = late.machine.data?.held.count ?? lengths.count;
  expect(before).toBeLessThan(lengths.count / 2);
  simulator.run(55_000);
  expect((late.machine.data?.held.count ?? 0) - before).toBeLessThan(lengths.count / 20);
});
