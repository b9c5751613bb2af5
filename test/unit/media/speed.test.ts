import { expect, test } from 'vitest';
import { measureSpeeds, type SampleFile, type SpeedOptions } from '../../../src/media/speed.ts';
import { candidate, device, partition } from './devices.ts';

/** Files by the disk in their path: milliseconds a read takes, an error, or a read that never ends. */
function filesOf(disks: Readonly<Record<string, number | Error | 'hangs'>>) {
  const opened: string[] = [];
  const open: NonNullable<SpeedOptions['open']> = async (path) => {
    const disk = Object.keys(disks).find((name) => path.includes(name)) ?? '';
    const way = disks[disk];
    opened.push(disk);
    const file: SampleFile = {
      async read(_offset, length) {
        if (way instanceof Error) throw way;
        if (way === 'hangs') return new Promise(() => {});
        await new Promise((resolve) => setTimeout(resolve, way));
        return { length };
      },
      close: async () => {},
    };
    return file;
  };
  return { open, opened };
}

test('a single disk is not measured: there is nothing to compare', async () => {
  const { open, opened } = filesOf({ sda: 1 });
  const rows = await measureSpeeds([candidate('a', partition('sda', 1)), candidate('b', partition('sda', 2))], {
    open,
  });
  expect(rows.map((row) => row.measured)).toEqual(['the only disk', 'the only disk']);
  expect(opened).toEqual([]);
});

test('the faster disk has the higher figure, and a failing and a hanging one none', async () => {
  const { open } = filesOf({ sda: 20, sdb: 2, sdc: new Error('EIO: i/o error'), sdd: 'hangs' });
  const all = ['sda', 'sdb', 'sdc', 'sdd'].map((name) => candidate('debian', device(name)));
  const rows = await measureSpeeds(all, { open, budgetMs: 300, sampleBytes: 2 ** 20 });
  const [slow, fast, failing, hanging] = rows.map((row) => row.bytesPerSecond);
  expect(fast).toBeGreaterThan((slow ?? 0) * 2);
  expect([failing, hanging]).toEqual([undefined, undefined]);
  expect(rows.map((row) => row.measured).slice(2)).toEqual(['EIO: i/o error', 'nothing read within 300 ms']);
});

test('two candidates on one disk share one sample', async () => {
  const { open, opened } = filesOf({ sda: 1, sdb: 1 });
  const all = [candidate('a', partition('sda', 1)), candidate('b', partition('sda', 2)), candidate('a', device('sdb'))];
  const rows = await measureSpeeds(all, { open, sampleBytes: 2 ** 18 });
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
