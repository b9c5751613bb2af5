/** Boot profiles on their way between nodes on real sockets. */
import { expect, test } from 'vitest';
import type { FieldNode } from '../../../src/field/node.ts';
import type { BootOrder } from '../../../src/field/wire/boot-order.ts';
import { PROFILE_WISH } from '../../../src/field/wire/frame.ts';
import { imageInMemory, starterOf } from './small-field.ts';
import { pause, RawGuest, until, within } from './stranger.ts';

const LENGTH = 50_000;
const CHUNKS = 60;
const { content, index, medium } = imageInMemory(CHUNKS, LENGTH);
const start = starterOf(index);
const ORDER: BootOrder = {
  boots: 2,
  runs: [
    { start: 40, end: 44, boots: 2 },
    { start: 3, end: 7, boots: 1 },
  ],
};
const NAMED = [40, 41, 42, 43, 3, 4, 5, 6];

/** A machine that boots: it is busy, and fetches next to nothing but what it reads. */
async function booting(peers: readonly FieldNode[]): Promise<FieldNode> {
  const node = await start({ peers: peers.map(({ address }) => address), readsFirst: true });
  await within(node.ready(), 10_000, 'an index');
  node.processors(1);
  return node;
}

const heldOf = (node: FieldNode): number[] => NAMED.filter((chunk) => node.machine.data?.held.has(chunk) === true);

test('a machine that boots is told what the boot of another read, and fetches it ahead', async () => {
  const first = await start({ index, medium });
  const second = await start({ peers: [first.address] });
  await within(second.ready(), 10_000, 'an index');
  await until('all is there', () => second.machine.data?.held.count === CHUNKS);
  second.boot.give(ORDER);
  const third = await booting([second]);
  const told = Promise.withResolvers<BootOrder>();
  third.boot.seek(told.resolve);
  expect(await within(told.promise, 5000, 'a profile')).toEqual(ORDER);
  third.boot.lookAhead(NAMED);
  await until('what it names is here', () => heldOf(third).length === NAMED.length, 2000);
  expect(third.machine.data?.held.count).toBeLessThan(CHUNKS / 2);
  // And it is read as well without the medium.
  first.close();
  expect(Buffer.from(await third.source.read(LENGTH * 20, 5000))).toEqual(
    content.subarray(LENGTH * 20, LENGTH * 20 + 5000),
  );
});

test('who asks while the other one still boots is told when that boot is over', async () => {
  const first = await start({ index, medium });
  const second = await booting([first]);
  const told = Promise.withResolvers<BootOrder>();
  second.boot.seek(told.resolve);
  await pause(300);
  first.boot.give(ORDER);
  expect(await within(told.promise, 5000, 'a profile')).toEqual(ORDER);
});

test('a profile of chunks that are none shuts its source out, and the next one is listened to', async () => {
  const liars = [
    { boots: 1, runs: [{ start: 0, end: CHUNKS + 1, boots: 1 }] },
    { boots: 1, runs: [...ORDER.runs, { start: 41, end: 42, boots: 1 }].map((run) => ({ ...run, boots: 1 })) },
  ];
  for (const lie of liars) {
    const liar = await start({ index, medium });
    const honest = await start({ index, medium, peers: [liar.address] });
    liar.boot.give(lie);
    const node = await booting([liar, honest]);
    const told: BootOrder[] = [];
    node.boot.seek((order) => told.push(order));
    await until('the liar is shut out', () => node.machine.banned.has(liar.node));
    expect(node.machine.banned.get(liar.node)).toMatch(/names chunk \d+ (of 60|twice) in a profile/);
    honest.boot.give(ORDER);
    await until('the other one has told', () => told.length > 0);
    expect(told).toEqual([ORDER]);
  }
});

test('a client is answered once; one that tells, or asks without end, is hung up on', async () => {
  const node = await start({ index, medium });
  node.boot.give(ORDER);
  using guest = await RawGuest.greet(node.address, index.id, 77, 9);
  const before = guest.bytesReceived;
  guest.send(PROFILE_WISH);
  await until('a profile', () => guest.bytesReceived > before);
  const after = guest.bytesReceived;
  expect(after - before).toBeLessThan(20);
  for (let i = 0; i < 5; i++) guest.send(PROFILE_WISH);
  await pause(100);
  expect(guest.bytesReceived).toBe(after);
  guest.send({ kind: 'profile', ...ORDER });
  await within(guest.closed, 2000, 'its end');
  using greedy = await RawGuest.greet(node.address, index.id, 78, 9);
  for (let i = 0; i < 200; i++) greedy.send(PROFILE_WISH);
  await within(greedy.closed, 5000, 'its end');
});

test('who has no profile says nothing to the wish, and goes on giving', async () => {
  const node = await start({ index, medium });
  using guest = await RawGuest.greet(node.address, index.id, 79, 9);
  const before = guest.bytesReceived;
  guest.send(PROFILE_WISH);
  await pause(100);
  expect(guest.bytesReceived).toBe(before);
  guest.send({ kind: 'subscribe' });
  await until('holdings', () => guest.bytesReceived > before);
});
