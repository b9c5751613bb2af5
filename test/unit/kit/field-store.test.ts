import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { keepSignature } from '../../../src/kit/field/papers.ts';
import { nodeIdOf, settleIn } from '../../../src/kit/field/store.ts';
import { smallImage } from '../field/origin/servers.ts';
import { temporaryFolder } from '../image/images.ts';

const { index } = await smallImage(2);
const image = { id: index.id, name: 'debian' };

test('a store remembers who its node is, which index it has and what ran last', async () => {
  using folder = temporaryFolder();
  const store = folder.at('store');
  const node = await nodeIdOf(store);
  expect(await nodeIdOf(store)).toBe(node);
  await settleIn(store, image, index, 1e6, () => 0);
  expect(readFileSync(`${store}/last`, 'latin1')).toBe(`${index.id} debian\n`);
  expect(readFileSync(`${store}/${index.id}.caibx`).length).toBeGreaterThan(0);
});

test('a name that a power cut tore is made anew', async () => {
  using folder = temporaryFolder();
  mkdirSync(folder.at('store'));
  writeFileSync(folder.at('store/node'), '');
  const node = await nodeIdOf(folder.at('store'));
  expect(await nodeIdOf(folder.at('store'))).toBe(node);
});

test('a disk that hangs keeps no boot waiting', async () => {
  using folder = temporaryFolder();
  mkdirSync(folder.at('store'));
  // What opens it waits until somebody reads from it.
  execFileSync('mkfifo', [folder.at('store/last.tmp')]);
  await settleIn(folder.at('store'), image, index, 1e6, () => 0);
  expect(existsSync(folder.at('store/last'))).toBe(false);
  closeSync(openSync(folder.at('store/last.tmp'), constants.O_RDONLY | constants.O_NONBLOCK));
});

test('a disk that takes nothing is told of, and the node serves all the same', async () => {
  using folder = temporaryFolder();
  // Whoever runs the tests, nothing can be written below a file.
  writeFileSync(folder.at('store'), '');
  expect(await nodeIdOf(folder.at('store'))).toBeGreaterThanOrEqual(0);
  await settleIn(folder.at('store'), image, index, 1e6, () => 0);
  await keepSignature(folder.at('store/index.caibx'), [Buffer.from('signature')]);
});
