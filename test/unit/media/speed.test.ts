import { expect, test } from 'vitest';
import { measureSpeeds, type SampleFile, type SpeedOptions } from '../../../src/media/speed.ts';
import { candidate, device, partition } from './devices.ts';

type Way = 'fast' | 'slow' | 'hangs' | Error;

/**
 * Files by the disk in their path, on a clock of their own: a fast disk takes 1 ms for a piece, a slow one gets its
 * first piece when the fast one has three, and no other.
 */
function filesOf(disks: Readonly<Record<string, Way>>) {
  const opened: string[] = [];
  let clock = 0;
  let pieces = 0;
  const third = Promise.withResolvers<void>();
  const open: NonNullable<SpeedOptions['open']> = async (path) => {
    const disk = Object.keys(disks).find((name) => path.includes(name)) ?? '';
    const way = disks[disk];
    opened.push(disk);
    let reads = 0;
    return {
      async read(_offset, length) {
        reads += 1;
        if (way instanceof Error) throw way;
        if (way === 'hangs' || (way === 'slow' && reads > 1)) return new Promise(() => {});
        if (way === 'slow') await third.promise;
        else {
          clock += 1;
          pieces += 1;
          if (pieces === 3) third.resolve();
          await new Promise((resolve) => setImmediate(resolve));
        }
        return { length };
      },
      close: async () => {},
    };
  };
  return { open, opened, now: () => clock };
}

test('of nothing no figure is made', async () => {
  expect(await measureSpeeds([])).toEqual([]);
});

test('the faster disk has the higher figure, and a failing and a hanging one none', async () => {
  const { open, now } = filesOf({ sda: 'slow', sdb: 'fast', sdc: new Error('EIO: i/o error'), sdd: 'hangs' });
  const all = ['sda', 'sdb', 'sdc', 'sdd'].map((name) => candidate('debian', device(name)));
  const rows = await measureSpeeds(all, { open, now, budgetMs: 5000, sampleBytes: 2 ** 20 });
  expect(rows.map((row) => row.bytesPerSecond)).toEqual([2 ** 18 / 0.003, 2 ** 20 / 0.003, undefined, undefined]);
  expect(rows.map((row) => row.measured).slice(2)).toEqual(['EIO: i/o error', 'nothing read in time']);
});

test('when the budget is spent and nothing was read, the first piece decides', async () => {
  const open = async (path: string): Promise<SampleFile> => ({
    async read(_offset, length) {
      await new Promise((resolve) => (path.includes('sdb') ? setTimeout(resolve, 40) : undefined));
      return { length };
    },
    close: async () => {},
  });
  const all = ['sda', 'sdb'].map((name) => candidate('debian', device(name)));
  const rows = await measureSpeeds(all, { open, budgetMs: 10 });
  expect(rows[0]?.bytesPerSecond).toBeUndefined();
  expect(rows[1]?.bytesPerSecond).toBeGreaterThan(0);
});

test('disks that all hang end the measurement too', async () => {
  const open = async (): Promise<SampleFile> => ({ read: () => new Promise(() => {}), close: async () => {} });
  const all = ['sda', 'sdb'].map((name) => candidate('debian', device(name)));
  const rows = await measureSpeeds(all, { open, budgetMs: 10 });
  expect(rows.map((row) => row.measured)).toEqual(['nothing read in time', 'nothing read in time']);
});

test('two candidates on one disk share one sample', async () => {
  const { open, opened, now } = filesOf({ sda: 'fast', sdb: 'fast' });
  const all = [candidate('a', partition('sda', 1)), candidate('b', partition('sda', 2)), candidate('a', device('sdb'))];
  const rows = await measureSpeeds(all, { open, now, sampleBytes: 2 ** 18 });
  expect(opened.sort()).toEqual(['sda', 'sdb']);
  expect(rows[0]?.bytesPerSecond).toBe(rows[1]?.bytesPerSecond);
});

test('an image shorter than the sample is read as far as it goes', async () => {
  const small = { sizeBytes: 5000, madeSeconds: 1, superblock: 'aa' };
  const lengths: number[] = [];
  const open = async (): Promise<SampleFile> => ({
    async read(offset, length) {
      lengths.push(offset + length);
      return { length };
    },
    close: async () => {},
  });
  const all = ['sda', 'sdb'].map((name) => candidate('a', device(name), { squashfs: small }));
  await measureSpeeds(all, { open });
  expect(lengths).toEqual([5000, 5000]);
});
