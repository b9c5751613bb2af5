import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { MediaAccess } from '../../../src/media/media-access.ts';
import { MediaSearch } from '../../../src/media/media-search.ts';
import { device, fileOf, noEffects, partition, squashfsStart } from './devices.ts';
import { writeMdTo } from './md-superblock.ts';

const EXT4 = (() => {
  const bytes = new Uint8Array(4096);
  new DataView(bytes.buffer).setUint16(0x438, 0xef53, true);
  return bytes;
})();

/** Devices that hold a squashfs alone; those in `gates` answer when their gate opens. */
function searchOf(
  gates: Readonly<Record<string, Promise<void>>> = {},
  failing: ReadonlySet<string> = new Set(),
  medium = noEffects.medium,
  deviceTimeoutMs = 1000,
) {
  const looked: string[] = [];
  const access: MediaAccess = {
    ...noEffects,
    medium,
    async open(path) {
      looked.push(path);
      await gates[path];
      if (failing.has(path)) throw new Error('EIO');
      return fileOf(squashfsStart(4096));
    },
  };
  return { search: new MediaSearch({ access, deviceTimeoutMs, ensureModules: async () => {} }), looked };
}

async function seenThrough(search: MediaSearch): Promise<void> {
  while (search.underWay.length > 0) await search.changed;
}

test('each disk is looked at once, however often it is seen, and a new one when it appears', async () => {
  const { search, looked } = searchOf();
  search.update([device('sda')], 0);
  search.update([device('sda')], 0);
  search.update([device('sda'), device('sdb')], 0);
  await seenThrough(search);
  search.update([device('sda'), device('sdb')], 0);
  expect(search.underWay).toEqual([]);
  expect(looked.sort()).toEqual(['/dev/sda', '/dev/sdb']);
  expect(search.candidates.length).toBe(2);
});

test('a disk that goes takes its candidates along, and another medium in the same drive is a new one', async () => {
  const { search, looked } = searchOf();
  search.update([device('sr0', { sequence: 1 }), device('sda')], 0);
  await seenThrough(search);
  search.update([device('sr0', { sequence: 2 })], 0);
  await seenThrough(search);
  expect(search.candidates.map((found) => found.device.name)).toEqual(['sr0']);
  expect(looked.filter((path) => path === '/dev/sr0').length).toBe(2);
});

test('partitions that appear later make the disk be looked at anew', async () => {
  const { search } = searchOf();
  search.update([device('sda')], 0);
  await seenThrough(search);
  search.update([device('sda'), partition('sda', 1)], 0);
  await seenThrough(search);
  expect(search.candidates.map((found) => found.device.name)).toEqual(['sda1']);
});

test('a slow disk is under way while another has been seen through already', async () => {
  const gate = Promise.withResolvers<void>();
  const { search } = searchOf({ '/dev/sdb': gate.promise });
  search.update([device('sda'), device('sdb')], 0);
  await search.changed;
  expect(search.underWay.map(({ name }) => name)).toEqual(['sdb']);
  expect(search.candidates.map((found) => found.device.name)).toEqual(['sda']);
  gate.resolve();
  await seenThrough(search);
  expect(search.candidates.length).toBe(2);
});

test('a disk that fails is looked at again, more and more seldom, and does not count as under way then', async () => {
  const failing = new Set(['/dev/sdb']);
  const { search, looked } = searchOf({}, failing);
  const devices = [device('sdb'), device('sda')];
  search.update(devices, 0);
  await seenThrough(search);
  expect(search.reports.find((report) => report.device.name === 'sdb')).toMatchObject({ seen: 'EIO', again: 'failed' });
  const times: number[] = [];
  for (let nowMs = 0; nowMs < 60_000; nowMs += 500) {
    const before = looked.length;
    search.update(devices, nowMs);
    expect(search.underWay).toEqual([]);
    await setTimeout(0);
    if (looked.length > before) times.push(nowMs);
  }
  expect(looked.filter((path) => path === '/dev/sda').length).toBe(1);
  expect(times.length).toBeLessThan(6);
  expect(times.length).toBeGreaterThan(3);
  expect(times[2] ?? 0).toBeGreaterThanOrEqual(2 * (times[1] ?? 0));
  failing.clear();
  search.update(devices, 120_000);
  await search.changed;
  expect(search.candidates.length).toBe(2);
});

test('a drive without a disc is never read, and is asked until there is one', async () => {
  const states = ['none', 'none', 'coming', 'in'] as const;
  let asked = 0;
  const { search, looked } = searchOf({}, new Set(), async () => states[Math.min(asked++, 3)] ?? 'in');
  const drive = device('sr0', { medium: 'cd', sizeBytes: 0x1fffff * 512 });
  search.update([drive], 0);
  await seenThrough(search);
  expect(search.reports).toMatchObject([{ seen: 'no disc in it', again: 'no medium' }]);
  search.update([drive], 500);
  expect(asked).toBe(1);
  search.update([drive], 2000);
  await search.changed;
  expect(looked).toEqual([]);
  search.update([drive], 4000);
  await search.changed;
  expect(search.candidates.length).toBe(1);
});

test('a drive with a disc is read without being asked, and one that fails is asked before it is read again', async () => {
  let asked = 0;
  const failing = new Set<string>();
  const { search, looked } = searchOf({}, failing, async () => (asked++ === 0 ? 'in' : 'none'));
  const drive = device('sr0', { medium: 'cd' });
  search.update([drive], 0);
  await seenThrough(search);
  expect([asked, looked.length, search.candidates.length]).toEqual([0, 1, 1]);
  failing.add('/dev/sr1');
  const bad = device('sr1', { medium: 'cd' });
  search.update([bad], 0);
  await seenThrough(search);
  expect(search.reports).toMatchObject([{ seen: 'EIO', again: 'failed' }]);
  search.update([bad], 60_000);
  await search.changed;
  expect(search.reports).toMatchObject([{ seen: 'no disc in it', again: 'no medium' }]);
  expect(looked.filter((path) => path === '/dev/sr1').length).toBe(1);
});

test('a disk that was silent is not asked twice, and what it answers at last counts', async () => {
  const gate = Promise.withResolvers<void>();
  const { search, looked } = searchOf({ '/dev/sdb': gate.promise }, new Set(), undefined, 20);
  search.update([device('sdb')], 0);
  await seenThrough(search);
  expect(search.reports).toMatchObject([{ seen: 'no answer in 0.02 s', again: 'silent' }]);
  search.update([device('sdb')], 600_000);
  expect(looked.length).toBe(1);
  gate.resolve();
  await search.changed;
  expect(search.candidates.map((found) => found.device.name)).toEqual(['sdb']);
});

test('what a disk gives after it has gone, or after the search, is taken down', async () => {
  for (const end of ['gone', 'released'] as const) {
    const gate = Promise.withResolvers<void>();
    const mounted = new Set<string>();
    const taken = Promise.withResolvers<void>();
    const access: MediaAccess = {
      ...noEffects,
      open: async (path) => (path.startsWith('/dev') ? fileOf(EXT4) : fileOf(squashfsStart(900), 4096)),
      list: async (path) => (path.endsWith('/viver') ? ['a.sqfs'] : []),
      async mount(_source, target) {
        await gate.promise;
        mounted.add(target);
      },
      async unmount(target) {
        mounted.delete(target);
        taken.resolve();
      },
    };
    const search = new MediaSearch({ access, ensureModules: async () => {} });
    search.update([device('sda')], 0);
    if (end === 'gone') search.update([], 0);
    else await search.release([]);
    gate.resolve();
    await taken.promise;
    expect([...mounted]).toEqual([]);
  }
});

test('slots are asked now and then, but not one that is in use or has not answered yet', async () => {
  const asked: string[] = [];
  const gate = Promise.withResolvers<'none'>();
  const medium = async (path: string) => {
    asked.push(path);
    return path === '/dev/sdc' ? gate.promise : ('none' as const);
  };
  const { search } = searchOf({}, new Set(), medium);
  search.update([device('sda')], 0);
  await seenThrough(search);
  const slots = ['sda', 'sdb', 'sdc'].map((name) => ({ path: `/dev/${name}`, isCd: false }));
  for (let nowMs = 0; nowMs <= 3000; nowMs += 100) {
    search.askSlots(slots, nowMs);
    await setTimeout(0);
  }
  expect(asked.filter((path) => path === '/dev/sda')).toEqual([]);
  expect(asked.filter((path) => path === '/dev/sdb').length).toBe(3);
  expect(asked.filter((path) => path === '/dev/sdc').length).toBe(1);
  gate.resolve('none');
});

test('a search that fails as a whole leaves no disk under way for ever', async () => {
  const whole = Buffer.alloc(2 << 20);
  writeMdTo(whole, '1.0');
  const access: MediaAccess = {
    ...noEffects,
    open: async (path) =>
      path === '/dev/sda' ? fileOf(whole) : path.startsWith('/dev') ? fileOf(EXT4) : fileOf(squashfsStart(900), 4096),
    list: async (path) => (path.endsWith('/viver') ? ['a.sqfs'] : []),
    unmount: async () => {
      throw new Error('EBUSY');
    },
  };
  const stuck = new MediaSearch({ access, ensureModules: async () => {} });
  stuck.update([device('sda', { sizeBytes: 2 << 20 }), partition('sda', 1)], 0);
  await seenThrough(stuck);
  expect(stuck.reports).toMatchObject([{ seen: 'EBUSY' }, { seen: 'EBUSY' }]);
  expect(stuck.candidates).toEqual([]);
});
