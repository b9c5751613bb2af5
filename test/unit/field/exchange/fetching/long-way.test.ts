import { expect, test } from 'vitest';
import { makeLengths } from '../../../../bench/field/crowd.ts';
import { Simulator } from '../../../../bench/field/simulator.ts';

/** Seconds until a node has all of 512 MiB that another has, over links of 100 MB/s. */
function secondsOver(latencyMs: number): number {
  const lengths = makeLengths(512 << 20, 1);
  const simulator = new Simulator({ seed: 1, lengths, latencyMs, isStrict: true, tcpWindow: 32 << 20 });
  const link = { up: 100_000_000, down: 100_000_000 };
  const holder = simulator.add(link, [], Number.MAX_SAFE_INTEGER, true);
  const held = Array.from({ length: lengths.count }, (_, i) => i);
  simulator.event(holder, { kind: 'layout', lengths, held, free: true });
  simulator.event(holder, { kind: 'start' });
  const node = simulator.add(link, [holder.address], Number.MAX_SAFE_INTEGER, false);
  simulator.event(node, { kind: 'start' });
  simulator.run(300_000, () => node.machine.data?.held.count === lengths.count);
  return simulator.now / 1000;
}

test('a long way is no slow one: enough is on order to fill it', () => {
  const near = secondsOver(0.2);
  expect(near).toBeLessThan(8);
  // Round trips of 50 and 100 ms; with what fills a short way on order it took 12 and 71 s.
  expect(secondsOver(25)).toBeLessThan(1.5 * near);
  expect(secondsOver(50)).toBeLessThan(2 * near);
});
