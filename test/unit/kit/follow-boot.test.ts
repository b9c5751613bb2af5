/** What becomes of a boot that was seen: used by the next machine, on real sockets. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { FieldNode } from '../../../src/field/node.ts';
import type { FieldNodeOptions } from '../../../src/field/node-options.ts';
import { Origins } from '../../../src/field/origin/origins.ts';
import type { BootWatch } from '../../../src/kit/boot-watch.ts';
import { type BootReader, followBoot, type ProfilePlaces, watchBoot } from '../../../src/kit/field/profile.ts';
import { imageInMemory, starterOf } from '../field/small-field.ts';
import { pause, until, within } from '../field/stranger.ts';
import { temporaryFolder } from '../image/images.ts';

const LENGTH = 50_000;
const CHUNKS = 60;
const { index, medium } = imageInMemory(CHUNKS, LENGTH);
const startNode = starterOf(index);

async function start(options: Partial<FieldNodeOptions>): Promise<{ node: FieldNode; watch: BootWatch }> {
  const node = await startNode(options);
  await within(node.ready(), 10_000, 'an index');
  return { node, watch: watchBoot(node, index) };
}

const origins = new Origins([], { log: () => {}, nameServers: () => [] });
const nowhere: ProfilePlaces = { file: undefined, store: undefined, origins };
const read = (watch: BootWatch, ...chunks: readonly number[]): void => {
  // Pages are told apart, and a chunk begins within one.
  for (const chunk of chunks) watch.read(chunk * LENGTH + 10_000, chunk * LENGTH + 10_001);
};
const ended = Promise.resolve(true as const);

function follow(boot: { node: FieldNode; watch: BootWatch }, reader: Partial<BootReader>, places = nowhere) {
  return followBoot(boot.node, { index, watch: boot.watch, isReading: false, ...reader }, places);
}

test('a machine that gives others of its image tells them at once what its boot has read so far', async () => {
  const first = await start({ index, medium });
  read(first.watch, 40, 41, 7);
  const boot = follow(first, { ended });
  const second = await start({ peers: [first.node.address] });
  void follow(second, { isReading: true });
  await boot;
  await until('the second knows', () => second.node.machine.profiles.known !== undefined, 3000);
  const named = second.node.machine.profiles.known?.runs.flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, i) => start + i),
  );
  expect(named).toEqual([40, 41, 7]);
});

test('what cannot be a boot is told to nobody: of a late daemon, of a copy, of one that is not seen', async () => {
  const readers: Partial<BootReader>[] = [{ isLate: true }, { lack: () => 'it is read past the cache' }, {}];
  for (const reader of readers) {
    const first = await start({ index, medium });
    if (reader.isLate === true || reader.lack !== undefined) read(first.watch, 1, 2);
    else first.watch.read(0, index.size);
    await follow(first, { ended, ...reader });
    expect(first.node.machine.profiles.known).toBeUndefined();
  }
});

test('what was given is passed on with what was read, unless it proved wrong', async () => {
  using folder = temporaryFolder();
  const chunks = Array.from({ length: 30 }, (_, i) => `${(30 + i) * LENGTH} ${LENGTH} 1 ${i}\n`);
  writeFileSync(folder.at('a.profile'), `viver-profile 1\nsize ${index.size}\nboots 1\n${chunks.join('')}`);
  for (const [reads, boots] of [
    [[31, 32, 33], 2],
    [Array.from({ length: 26 }, (_, i) => i), 1],
  ] as const) {
    const first = await start({ index, medium: undefined, peers: [] });
    const stop = Promise.withResolvers<true>();
    const boot = follow(first, { ended: stop.promise }, { ...nowhere, file: folder.at('a.profile') });
    await pause(50); // the file is read
    read(first.watch, ...reads);
    stop.resolve(true);
    await boot;
    expect(first.node.machine.profiles.known?.boots).toBe(boots);
  }
});

test('a profile in the store that a power cut has torn keeps nobody from asking others, nor is that kept from others', async () => {
  using folder = temporaryFolder();
  writeFileSync(folder.at(`${index.id}.profile`), 'viver-profile 1\nsize ');
  const first = await start({ index, medium });
  read(first.watch, 40, 41, 7);
  await follow(first, { ended });
  const second = await start({ peers: [first.node.address] });
  const stop = Promise.withResolvers<true>();
  const boot = follow(second, { isReading: true, ended: stop.promise }, { ...nowhere, store: folder.path });
  await until('the second knows', () => second.node.machine.profiles.known !== undefined, 3000);
  read(second.watch, 40, 41, 8);
  stop.resolve(true);
  await boot;
  expect(second.node.machine.profiles.known?.boots).toBe(2);
  expect(readFileSync(folder.at(`${index.id}.profile`), 'utf8')).toContain('boots 1');
});

test('a store that nothing can be written to keeps no profile, and others are told all the same', async () => {
  const first = await start({ index, medium });
  read(first.watch, 3);
  await follow(first, { ended }, { ...nowhere, store: '/proc/nothing' });
  expect(first.node.machine.profiles.known?.boots).toBe(1);
});

test('a false profile that comes first is let go when others are read, and the next one is used and passed on', async () => {
  const first = await start({ index, medium });
  first.node.boot.give({ boots: 1, runs: [{ start: 50, end: 60, boots: 1 }] });
  const honest = await start({ index, medium, peers: [first.node.address] });
  const second = await start({ peers: [first.node.address, honest.node.address], readsFirst: true });
  second.node.processors(1);
  const stop = Promise.withResolvers<true>();
  const boot = follow(second, { isReading: true, ended: stop.promise });
  await until('the false one', () => second.node.machine.profiles.known?.runs[0]?.start === 50, 3000);
  honest.node.boot.give({ boots: 1, runs: [{ start: 0, end: 30, boots: 1 }] });
  read(second.watch, ...Array.from({ length: 25 }, (_, i) => i));
  await until('the other one', () => second.node.machine.profiles.known?.runs[0]?.start === 0, 3000);
  read(second.watch, 26, 27, 28);
  stop.resolve(true);
  await boot;
  expect(second.node.machine.profiles.known?.boots).toBe(2);
});
