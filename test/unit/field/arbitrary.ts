/** Values of the wire format for property tests. */
import fc from 'fast-check';
import type { BootOrder } from '../../../src/field/wire/boot-order.ts';
import { ChunkSet } from '../../../src/field/wire/chunk-set.ts';
import type { Datagram, Sections } from '../../../src/field/wire/datagram.ts';
import type { ControlFrame } from '../../../src/field/wire/frame.ts';
import { type Holdings, packHoldings } from '../../../src/field/wire/holdings.ts';
import { KIND, type Kind } from '../../../src/field/wire/protocol.ts';
import { toRanges } from '../../../src/field/wire/ranges.ts';
import { LIFE_LIMIT, makeRecord, type NodeRecord, VERSION_LIMIT } from '../../../src/field/wire/record.ts';
import { type Summary, summarize } from '../../../src/field/wire/summary.ts';

/** Plain objects, as decoders make them. */
const PLAIN = { noNullPrototype: true } as const;

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });

export const anyAddress = fc.oneof(
  fc
    .tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 }))
    .filter(([host]) => /^([1-9]|\d\d|1\d\d|2[01]\d|22[0-3])\./.test(host))
    .map(([host, port]) => `${host}:${port}`),
  fc.constantFrom('[::1]:1', '[fd80::1:2]:65535', '[2001:db8::]:80', '[1:2:3:4:5:6:7:8]:9'),
);

export const anyChunks = fc
  .uniqueArray(fc.nat(2000), { maxLength: 200 })
  .map((chunks) => [...chunks].sort((a, b) => a - b));

export const anyRanges = anyChunks.map((chunks) => toRanges(chunks));

export const anyHoldings: fc.Arbitrary<Holdings> = fc
  .tuple(fc.nat(5000), fc.nat(3000), fc.infiniteStream(fc.nat(9)), fc.nat(10))
  .map(([start, size, stream, density]) => {
    const set = new ChunkSet(start + size);
    for (let chunk = start; chunk < start + size; chunk++) {
      if ((stream.next().value as number) < density) set.add(chunk);
    }
    return packHoldings(set, { start, end: start + size });
  });

export const anySummary: fc.Arbitrary<Summary> = fc
  .tuple(fc.integer({ min: 1, max: 3000 }), fc.array(fc.nat(3000), { maxLength: 40 }), fc.boolean())
  .map(([chunks, held, isFull]) => {
    const set = isFull ? ChunkSet.full(chunks) : new ChunkSet(chunks);
    for (const chunk of held) set.add(chunk);
    return summarize(set);
  });

export const anyRecord: fc.Arbitrary<NodeRecord> = fc
  .record(
    {
      node: u48,
      life: fc.integer({ min: 1, max: LIFE_LIMIT - 1 }),
      version: fc.integer({ min: 0, max: VERSION_LIMIT - 1 }),
      state: fc.nat(2),
      room: u32,
      address: anyAddress,
      summary: anySummary,
    },
    PLAIN,
  )
  .map(makeRecord);

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const anySections: fc.Arbitrary<Sections> = fc.record(
  {
    records: fc.array(anyRecord, { maxLength: 5 }),
    question: u32,
    answer: u32,
    cookie: bytes(8),
    observed: anyAddress,
    digest: fc.record({ sum: u32, rows: u32 }, PLAIN),
    buckets: fc.array(u32, { minLength: 256, maxLength: 256 }).map((sums) => Uint32Array.from(sums)),
    scope: bytes(32),
    hashes: fc.array(fc.record({ node: u48, hash: u32 }, PLAIN), { maxLength: 20 }),
    wants: fc.array(u48, { maxLength: 20 }),
    down: fc.record({ node: u48, reason: fc.nat(255) }, PLAIN),
    ranges: anyRanges,
  },
  { requiredKeys: [], noNullPrototype: true },
);

export const anyDatagram: fc.Arbitrary<Datagram> = fc
  .tuple(
    fc.record(
      {
        kind: fc.constantFrom(...(Object.keys(KIND) as Kind[])),
        field: bytes(8).map((id) => Buffer.from(id).toString('hex')),
        sender: u48,
        chunks: u32,
      },
      PLAIN,
    ),
    anySections,
  )
  .map(([head, sections]) => ({ ...head, ...sections }));

/** Of an image of 2001 chunks. */
export const anyBootOrder: fc.Arbitrary<BootOrder> = fc
  .tuple(fc.integer({ min: 1, max: 255 }), anyRanges, fc.infiniteStream(fc.nat()))
  .filter(([, ranges]) => ranges.length > 0)
  .map(([boots, ranges, stream]) => {
    const next = (): number => stream.next().value as number;
    const runs = ranges.map((range) => ({ ...range, boots: 1 + (next() % boots), place: next() }));
    runs.sort((a, b) => a.place - b.place);
    return { boots, runs: runs.map(({ place, ...run }) => run) };
  });

const peers = fc.array(fc.record({ node: u48, address: anyAddress }, PLAIN), { maxLength: 8 });

const papers = (limit: number) =>
  fc.array(fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.constant(new Uint8Array(limit))), { maxLength: 4 });

export const anyFrame: fc.Arbitrary<ControlFrame> = fc.oneof(
  fc.constant({ kind: 'subscribe' as const }),
  fc.constant({ kind: 'get papers' as const }),
  fc.record({ kind: fc.constant('papers' as const), signatures: papers(10_240), releases: papers(4096) }, PLAIN),
  anyBootOrder.map((order) => ({ kind: 'profile' as const, ...order })),
  fc.record({ kind: fc.constant('get index' as const), piece: u32 }, PLAIN),
  fc.record(
    {
      kind: fc.constant('get' as const),
      choose: fc.boolean(),
      urgent: fc.boolean(),
      insist: fc.boolean(),
      count: fc.nat(1 << 16),
      ranges: anyRanges,
    },
    PLAIN,
  ),
  fc.record({ kind: fc.constant('cancel' as const), ranges: anyRanges }, PLAIN),
  fc.record({ kind: fc.constant('lack' as const), choices: fc.nat(), ranges: anyRanges }, PLAIN),
  fc.record({ kind: fc.constant('got' as const), count: fc.nat() }, PLAIN),
  fc.record({ kind: fc.constant('holdings' as const), window: anyHoldings }, PLAIN),
  fc.record({ kind: fc.constant('have' as const), added: anyRanges, removed: anyRanges }, PLAIN),
  fc.record(
    {
      kind: fc.constant('pointers' as const),
      pointers: fc.array(fc.record({ chunk: u32, node: u48, address: anyAddress }, PLAIN), { maxLength: 8 }),
    },
    PLAIN,
  ),
  fc.record({ kind: fc.constantFrom('refuse' as const, 'index at' as const), others: peers }, PLAIN),
);
