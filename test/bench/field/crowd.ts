/**
 * A flash crowd in the simulator: one holder, N nodes that start at once and read the image from end to end.
 * `node test/bench/field/crowd.ts [N …]`; prints the last node's time over the goodput fluid limit.
 */

import type { Lengths } from '../../../src/field/event.ts';
import { generator, Simulator } from './simulator.ts';

const LINK = 20e6 / 8;
const GOODPUT = 0.945;
const IMAGE = 48 << 20;
/** What nbdcopy has in flight: 64 requests of 256 KiB. */
const READS = 64;
const READ = 256 << 10;

/** Chunks of content-defined lengths: 16 KiB and an exponential tail up to 256 KiB. */
export function makeLengths(size: number, seed: number): Lengths {
  const random = generator(seed);
  const ends: number[] = [];
  for (let at = 0; at < size; ) {
    at = Math.min(size, at + Math.min(256 << 10, Math.floor((16 << 10) - Math.log(1 - random()) * (48 << 10))));
    ends.push(at);
  }
  return { count: ends.length, size, length: (i) => (ends[i] as number) - (i === 0 ? 0 : (ends[i - 1] as number)) };
}

export interface CrowdResult {
  readonly nodes: number;
  readonly lastSeconds: number;
  readonly medianSeconds: number;
  /** Of those in the holder's room. */
  readonly lastInFirstRoom: number;
  readonly ratio: number;
  /** Bytes that went from one room to the other, headers and all. */
  readonly crossedImages: number;
  readonly holderImages: number;
  readonly controlShare: number;
  readonly wasted: number;
  /** What a node that fetches did on average, by kind. */
  readonly work: ReadonlyMap<string, number>;
}

/** A crowd in two rooms, the holder in the first one, and a link between them. Bytes a second. */
export interface TwoRooms {
  readonly rate: number;
  readonly uplink: number;
  readonly latencyMs: number;
  /** Nodes know which room they are in. */
  readonly isTold: boolean;
  readonly size: number;
}

export function simulateCrowd(nodes: number, seed = 1, isVerbose = false, rooms?: TwoRooms): CrowdResult {
  const SIZE = rooms?.size ?? IMAGE;
  const RATE = rooms?.rate ?? LINK;
  const lengths = makeLengths(SIZE, 7);
  const starts: number[] = [0];
  for (let i = 0; i < lengths.count; i++) starts.push((starts[i] as number) + lengths.length(i));
  const locate = (offset: number): number => {
    let low = 0;
    let high = lengths.count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((starts[middle + 1] as number) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  const uplink = rooms && { rate: rooms.uplink, latencyMs: rooms.latencyMs };
  const simulator = new Simulator({ seed, lengths, latencyMs: 0.3, ...(uplink === undefined ? {} : { uplink }) });
  const link = { up: RATE, down: RATE };
  const placed = (room: number) => (rooms === undefined ? link : { ...link, room, isTold: rooms.isTold });
  const holder = simulator.add(placed(1), [], 0, true);
  simulator.event(holder, {
    kind: 'layout',
    lengths,
    held: Array.from({ length: lengths.count }, (_, i) => i),
    free: true,
  });
  simulator.event(holder, { kind: 'start' });
  const readers = Array.from({ length: nodes }, (_, i) =>
    simulator.add(placed(i < (nodes - 1) / 2 ? 1 : 2), [holder.address]),
  );
  const progress = new Map(readers.map((reader) => [reader, { next: 0, done: 0 }]));
  const total = Math.ceil(SIZE / READ);
  let finished = 0;
  const readNext = (reader: (typeof readers)[0]): void => {
    const state = progress.get(reader);
    if (state === undefined || state.next >= total) return;
    const read = state.next++;
    const last = Math.min(SIZE, (read + 1) * READ) - 1;
    simulator.event(reader, { kind: 'read', read, chunks: { start: locate(read * READ), end: locate(last) + 1 } });
  };
  simulator.onReady = (reader) => {
    const state = progress.get(reader);
    if (state === undefined) return;
    state.done++;
    if (state.done === total) {
      reader.doneAt = simulator.now;
      finished++;
    }
    simulator.at(simulator.now, () => readNext(reader));
  };
  for (const reader of readers) {
    simulator.event(reader, { kind: 'start' });
    for (let i = 0; i < READS; i++) readNext(reader);
  }
  if (isVerbose) {
    let before: number[] = [];
    for (let second = 1; second < 60; second++) {
      simulator.at(second * 1000, () => {
        const sent = [holder, ...readers].map((node) => node.chunkBytes);
        const share = sent.map((bytes, i) => ((bytes - (before[i] ?? 0)) / RATE / GOODPUT).toFixed(2));
        before = sent;
        const held = readers.map((node) => node.machine.data?.held.count ?? 0);
        if (second % 7 === 0) {
          for (const node of readers.slice(2, 5)) {
            console.log(
              node.address,
              'up',
              node.up.backlog(simulator.now).toFixed(0),
              'down',
              node.down.backlog(simulator.now).toFixed(0),
              'win',
              (node.machine.data?.giver.window ?? 0) >> 10,
            );
            for (const s of node.machine.data?.fetcher.sources.values() ?? [])
              console.log(
                '   from',
                s.address,
                (s.rate / 1000).toFixed(0),
                'on order',
                s.bytesOnOrder >> 10,
                'orders',
                s.orders.size,
                'choices',
                s.choices,
                'last',
                (simulator.now - s.lastArrival).toFixed(0),
                'n',
                s.delivered,
              );
          }
        }
        const ready = readers.map((node) => node.machine.data?.held.count ?? 0);
        if (process.argv.includes('-q')) {
          const rows = readers.slice(0, 10).map((node) => {
            const f = node.machine.data?.fetcher;
            const held = node.machine.data?.held;
            if (f === undefined || held === undefined) return '-';
            let order = 0;
            let known = 0;
            let choices = 0;
            const all = new Set<number>();
            for (const s of f.sources.values()) {
              order += s.bytesOnOrder;
              choices += s.choices;
              for (const c of s.has)
                if (!held.has(c) && s.address !== holder.address) {
                  all.add(c);
                }
            }
            for (const c of all) if (!f.isOrdered(c)) known++;
            return `${order >> 10}K/${choices} free ${known} up ${node.up.backlog(simulator.now).toFixed(0)} dn ${node.down.backlog(simulator.now).toFixed(0)} srcs ${f.sources.size} cl ${node.machine.data?.giver.clients}`;
          });
          console.log(rows.join('\n'));
        }
        console.log(
          `mean held ${(ready.reduce((a, b) => a + b, 0) / nodes).toFixed(0)} out ${holder.machine.data?.giver.distinct} util ${(share.slice(1).reduce((a, b) => a + Number(b), 0) / nodes).toFixed(2)}`,
        );
        console.log(
          `${second} s up ${share.slice(0, 8).join(' ')} held ${held.slice(0, 8).join(' ')} of ${lengths.count}`,
        );
      });
    }
  }
  simulator.run(400_000, () => finished === nodes);
  for (const reader of readers) {
    const data = reader.machine.data;
    if (reader.doneAt !== undefined || data === undefined || !isVerbose) continue;
    const missing = data.held.nextMissing(0);
    console.log(
      'STUCK',
      reader.address,
      data.held.count,
      'missing',
      missing,
      'waits',
      data.reads.waitsFor(missing),
      'ordered',
      data.fetcher.isOrdered(missing),
      progress.get(reader),
      data.reads.length,
    );
    for (const source of data.fetcher.sources.values())
      console.log(
        '  ',
        source.address,
        source.has.has(missing),
        source.orders.get(missing),
        source.choices,
        source.bytesOnOrder,
        source.orders.size,
        source.strikes,
        simulator.now - source.lastArrival,
      );
  }
  const times = readers.map((reader) => (reader.doneAt ?? Number.POSITIVE_INFINITY) / 1000).sort((a, b) => a - b);
  const slowest = Math.min(RATE, rooms?.uplink ?? RATE);
  const limit = (SIZE / (slowest * GOODPUT)) * Math.max(1, rooms === undefined ? nodes / (nodes + 1) : 1);
  const all = [holder, ...readers];
  const sum = (value: (node: (typeof all)[0]) => number): number => all.reduce((total, node) => total + value(node), 0);
  if (isVerbose) {
    for (const line of simulator.logs.filter((line) => !line.includes('joined') && !line.includes('whole')))
      console.log(line);
    for (const node of all) console.log(node.address, (node.chunkBytes / SIZE).toFixed(2), node.doneAt);
  }
  return {
    nodes,
    lastSeconds: times.at(-1) ?? 0,
    medianSeconds: times[times.length >> 1] ?? 0,
    lastInFirstRoom: Math.max(...readers.filter(({ room }) => room < 2).map(({ doneAt = Infinity }) => doneAt)) / 1000,
    ratio: (times.at(-1) ?? 0) / limit,
    crossedImages: simulator.crossed / SIZE,
    holderImages: holder.chunkBytes / SIZE,
    controlShare: sum((node) => node.controlBytes + node.datagramBytes) / sum((node) => node.chunkBytes),
    wasted: sum((node) => node.chunkBytes) / (nodes * SIZE) - 1,
    work: new Map(
      [...new Set(readers.flatMap(({ work }) => [...work.keys()]))].map((what) => [
        what,
        readers.reduce((total, { work }) => total + (work.get(what) ?? 0), 0) / nodes,
      ]),
    ),
  };
}

if (import.meta.main) {
  const args = process.argv.slice(2).filter((word) => word !== '-v');
  for (const nodes of args.length > 0 ? args.map(Number) : [1, 4, 10, 30, 50]) {
    const started = performance.now();
    const result = simulateCrowd(nodes, 1, process.argv.includes('-v'));
    const took = ((performance.now() - started) / 1000).toFixed(1);
    const share = (value: number): string => `${(value * 100).toFixed(2)} %`;
    console.log(
      `N=${nodes} last ${result.lastSeconds.toFixed(2)} s median ${result.medianSeconds.toFixed(2)} s ratio ${result.ratio.toFixed(3)}`,
      `holder ${result.holderImages.toFixed(2)} control ${share(result.controlShare)} twice ${share(result.wasted)} (${took} s)`,
    );
    console.log('  a node:', [...result.work].map(([what, times]) => `${what} ${times.toFixed(0)}`).join(', '));
  }
}
