import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { made } from './harness/disks.ts';
import { smallImage } from './harness/images.ts';
import { isoOf, viver } from './harness/isos.ts';
import { BUILD } from './harness/products.ts';

const run = promisify(execFile);

/** What one more run gives. */
async function again(name: string): Promise<string> {
  const image = await smallImage();
  const inputs = { description: [name, Date.now()], files: [image.sqfs] };
  return made(name, inputs, async (target, work) => {
    await run('cp', [image.sqfs, join(work, 'small.sqfs')]);
    await run('cp', [image.caibx, join(work, 'small.caibx')]);
    await viver('iso', join(work, 'small.sqfs'), '-o', target, '--boot', BUILD);
  });
}

test('the same inputs give the same ISO', async () => {
  const [first, second] = [await isoOf(await smallImage()), await again('second.iso')];
  expect((await readFile(first)).equals(await readFile(second))).toBe(true);
});

test('the ISO has an MBR with itself and its EFI system partition, and no GPT', async () => {
  const iso = await isoOf(await smallImage());
  const { stdout } = await run('sfdisk', ['--json', iso]);
  const { partitiontable } = JSON.parse(stdout) as {
    partitiontable: { label: string; partitions: { type: string }[] };
  };
  expect(partitiontable.label).toBe('dos');
  expect(partitiontable.partitions.map(({ type }) => type)).toEqual(['83', 'ef']);
  expect((await readFile(iso)).subarray(512, 520).toString('latin1')).not.toBe('EFI PART');
});

test("every loader's part is in the ISO's files, for a copy on FAT32 and for loopback", async () => {
  const iso = await isoOf(await smallImage());
  const { stdout } = await run('xorriso', ['-indev', iso, '-find', '/', '-type', 'f']);
  for (const path of [
    '/EFI/BOOT/BOOTX64.EFI',
    '/EFI/BOOT/BOOTIA32.EFI',
    '/EFI/BOOT/grubx64.efi',
    '/EFI/BOOT/mmx64.efi',
    '/boot/grub/grub.cfg',
    '/boot/grub/loopback.cfg',
    '/viver/small.sqfs',
    '/viver/small.caibx',
  ])
    expect(stdout).toContain(`'${path}'`);
});
