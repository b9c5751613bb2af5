import { expect, test } from 'vitest';
import type { MediaAccess } from '../../../src/media/media-access.ts';
import { MediaSearch } from '../../../src/media/media-search.ts';
import { device, partition, squashfsStart } from './devices.ts';

/** Devices that hold a squashfs alone; those in `gates` answer when their gate opens. */
function searchOf(gates: Readonly<Record<string, Promise<void>>> = {}, failing: ReadonlySet<string> = new Set()) {
  const looked: string[] = [];
  const access: MediaAccess = {
    async readStart(path) {
      looked.push(path);
      await gates[path];
      if (failing.has(path)) throw new Error('ENOMEDIUM');
      return { bytes: squashfsStart(4096) };
    },
    mount: async () => {},
    unmount: async () => {},
    list: async () => [],
    loop: (path) => ({ path, release: () => {} }),
  };
  return { search: new MediaSearch({ access, ensureModules: async () => {} }), looked };
}

async function seenThrough(search: MediaSearch): Promise<void> {
  while (search.underWay.length > 0) await search.changed;
}

test('each disk is looked at once, however often it is seen, and a new one when it appears', async () => {
  const { search, looked } = searchOf();
  search.update([device('sda')]);
  search.update([device('sda')]);
  search.update([device('sda'), device('sdb')]);
  await seenThrough(search);
  search.update([device('sda'), device('sdb')]);
  expect(search.underWay).toEqual([]);
  expect(looked.sort()).toEqual(['/dev/sda', '/dev/sdb']);
  expect(search.candidates.length).toBe(2);
});

test('a disk that goes takes its candidates along, and another medium in the same drive is a new one', async () => {
  const { search, looked } = searchOf();
  search.update([device('sr0', { sequence: 1 }), device('sda')]);
  await seenThrough(search);
  search.update([device('sr0', { sequence: 2 })]);
  await seenThrough(search);
  expect(search.candidates.map((found) => found.device.name)).toEqual(['sr0']);
  expect(looked.filter((path) => path === '/dev/sr0').length).toBe(2);
});

test('partitions that appear later make the disk be looked at anew', async () => {
  const { search } = searchOf();
  search.update([device('sda')]);
  await seenThrough(search);
  search.update([device('sda'), partition('sda', 1)]);
  await seenThrough(search);
  expect(search.candidates.map((found) => found.device.name)).toEqual(['sda1']);
});

test('a slow disk is under way while another has been seen through already', async () => {
  const gate = Promise.withResolvers<void>();
  const { search } = searchOf({ '/dev/sdb': gate.promise });
  search.update([device('sda'), device('sdb')]);
  await search.changed;
  expect(search.underWay.map(({ name }) => name)).toEqual(['sdb']);
  expect(search.candidates.map((found) => found.device.name)).toEqual(['sda']);
  gate.resolve();
  await seenThrough(search);
  expect(search.candidates.length).toBe(2);
});

test('an empty drive is looked at again when that is asked for, a good disk is not', async () => {
  const failing = new Set(['/dev/sr0']);
  const { search, looked } = searchOf({}, failing);
  const devices = [device('sr0'), device('sda')];
  search.update(devices);
  await seenThrough(search);
  expect(search.reports.find((report) => report.device.name === 'sr0')?.seen).toBe('ENOMEDIUM');
  failing.clear();
  search.update(devices);
  search.update(devices, { retryFailed: true });
  await seenThrough(search);
  expect(search.candidates.length).toBe(2);
  expect(looked).toEqual(['/dev/sr0', '/dev/sda', '/dev/sr0']);
});
