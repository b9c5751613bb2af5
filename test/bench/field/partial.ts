/**
 * Nodes that keep a part of a large image each: `node test/bench/field/partial.ts [chunks nodes share]`. Prints whether
 * together they hold all of it when the one that brought it has left, and what they send each other at rest.
 */
import { Simulator } from './simulator.ts';

const LINK = { up: 125_000_000, down: 125_000_000 };

const [chunks = 3000, nodes = 8, share = 0.4] = process.argv.slice(2).map(Number);
const LENGTH = 4096;
const lengths = { count: chunks, size: chunks * LENGTH, length: () => LENGTH };
const simulator = new Simulator({ seed: 1, lengths, latencyMs: 0.3 });
const holder = simulator.add(LINK, [], 0, true);
simulator.event(holder, { kind: 'layout', lengths, held: Array.from({ length: chunks }, (_, i) => i), free: true });
simulator.event(holder, { kind: 'start' });
const others = Array.from({ length: nodes }, () => simulator.add(LINK, [holder.address], lengths.size * share));
for (const node of others) simulator.event(node, { kind: 'start' });

function say(when: string): void {
  const copies = new Uint16Array(chunks);
  for (const node of others) {
    for (const chunk of node.machine.data?.held ?? []) copies[chunk] = (copies[chunk] as number) + 1;
  }
  const held = others.map((node) => node.machine.data?.held.count ?? 0);
  const missing = copies.filter((count) => count === 0).length;
  const once = copies.filter((count) => count === 1).length;
  const bytes = others.reduce((sum, node) => sum + node.chunkBytes, 0) / lengths.size;
  console.log(when, { missing, once, least: Math.min(...held), most: Math.max(...held), imagesSent: bytes });
}

for (const second of [5, 10, 20, 40]) {
  simulator.run(second * 1000);
  say(`${second} s`);
}
simulator.event(holder, { kind: 'leave' });
for (const second of [50, 60, 90, 120]) {
  simulator.run(second * 1000);
  say(`${second} s${holder.isAlive ? '' : ', the holder has left'}`);
}
console.log(
  simulator.logs
    .filter((line) => /loses|leaving|shut out|lost|nowhere/.test(line))
    .slice(0, 20)
    .join('\n'),
);
