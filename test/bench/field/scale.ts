/** A large field at rest, in virtual time: what membership costs, and how soon news reach everybody. */

import { VTable } from '../../../src/field/members/v-table.ts';
import { ChunkSet } from '../../../src/field/wire/chunk-set.ts';
import { makeRecord, STATE_UP } from '../../../src/field/wire/record.ts';
import { summarize } from '../../../src/field/wire/summary.ts';
import { makeLengths } from './crowd.ts';
import { generator, Simulator } from './simulator.ts';

const LINK = { up: 12_500_000, down: 12_500_000 };

export interface ScaleResult {
  readonly nodes: number;
  /** Of one node at rest: datagrams sent, and their bytes with UDP, IP and Ethernet headers. */
  readonly packetsPerMinute: number;
  readonly bytesPerMinute: number;
  /** Memory of one table whose rows are half full and all different: what a node at its worst has. */
  readonly tableMb: number;
  /** From a node's first datagram until half and all of the others have it in their table. */
  readonly joinMedianSeconds: number;
  readonly joinLastSeconds: number;
}

export function simulateScale(nodes: number, seed = 1): ScaleResult {
  const lengths = makeLengths(256 << 10, 3);
  const simulator = new Simulator({ seed, lengths, latencyMs: 0.3 });
  const held = Array.from({ length: lengths.count }, (_, i) => i);
  const all = Array.from({ length: nodes }, () => simulator.add(LINK, [], 0, true));
  for (const node of all) {
    simulator.event(node, { kind: 'layout', lengths, held, free: true });
    // Each at its own time: the probes of a field that has lived for a while are spread.
    simulator.at(simulator.random() * 1000, () => simulator.event(node, { kind: 'start' }));
  }
  simulator.run(1000);
  const records = all.map(({ machine }) => machine.gossip.own.record());
  for (const { machine } of all) for (const record of records) machine.gossip.table.merge(record);
  // What starting made them say has been said by then.
  simulator.run(8000);
  const sent = () => all.reduce((sum, { datagramsSent }) => sum + datagramsSent, 0);
  const bytes = () => all.reduce((sum, { datagramBytes }) => sum + datagramBytes, 0);
  const [sentBefore, bytesBefore] = [sent(), bytes()];
  simulator.run(13_000);
  const perMinute = 12 / nodes;
  const packetsPerMinute = (sent() - sentBefore) * perMinute;
  const bytesPerMinute = (bytes() - bytesBefore) * perMinute;
  const first = all[0];
  if (first === undefined) throw new Error('no nodes');
  const joiner = simulator.add(LINK, [first.address], 0, true);
  simulator.event(joiner, { kind: 'layout', lengths, held, free: true });
  simulator.event(joiner, { kind: 'start' });
  const start = simulator.now;
  let median = 0;
  let known = 0;
  while (known < nodes && simulator.now < start + 60_000) {
    simulator.run(simulator.now + 100);
    known = all.filter(({ machine }) => machine.gossip.table.get(joiner.machine.nodeId) !== undefined).length;
    if (median === 0 && known >= nodes / 2) median = (simulator.now - start) / 1000;
  }
  return {
    nodes,
    packetsPerMinute: Math.round(packetsPerMinute),
    bytesPerMinute: Math.round(bytesPerMinute),
    tableMb: Math.round(tableBytes(nodes) / 1e4) / 100,
    joinMedianSeconds: median,
    joinLastSeconds: known < nodes ? Number.POSITIVE_INFINITY : (simulator.now - start) / 1000,
  };
}

/** Of an image of 3000 chunks, half of them held in no order. */
function tableBytes(nodes: number): number {
  const random = generator(1);
  const before = memory();
  const table = new VTable();
  for (let i = 0; i < nodes; i++) {
    const held = new ChunkSet(3000);
    for (let chunk = 0; chunk < 3000; chunk++) if (random() < 0.5) held.add(chunk);
    const summary = summarize(held);
    const address = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:20070`;
    const node = Math.floor(random() * 2 ** 48);
    table.merge(makeRecord({ node, life: 1, version: 1, state: STATE_UP, address, summary }));
  }
  const after = memory();
  if (table.size !== nodes) throw new Error('rows were lost');
  return after - before;
}

function memory(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
