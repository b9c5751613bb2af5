/** Machines in virtual time that run from the field, on links of 100 Mbit/s. */
import type { Lengths } from '../../../../../src/field/event.ts';
import type { SimulatedNode } from '../../../../bench/field/simulated-node.ts';
import { Simulator } from '../../../../bench/field/simulator.ts';

const LINK = { up: 12_500_000, down: 12_500_000 };
const EVERYTHING = Number.MAX_SAFE_INTEGER;

export function bootingField(lengths: Lengths, seed: number) {
  const simulator = new Simulator({ seed, lengths, latencyMs: 0.5, isStrict: true, readsFirst: true });
  /** @param chunks that it has from the start, the image's first ones; who has all has them on a medium */
  const add = (peers: readonly string[], { keep = EVERYTHING, chunks = 0, link = LINK } = {}): SimulatedNode => {
    const isHolder = chunks === lengths.count;
    const node = simulator.add(link, peers, keep, isHolder);
    const held = Array.from({ length: chunks }, (_, i) => i);
    if (chunks > 0) simulator.event(node, { kind: 'layout', lengths, held, free: isHolder });
    simulator.event(node, { kind: 'start' });
    return node;
  };
  const held = (node: SimulatedNode): number => node.machine.data?.held.count ?? 0;
  return { simulator, add, addHolder: (peers: readonly string[] = []) => add(peers, { chunks: lengths.count }), held };
}
