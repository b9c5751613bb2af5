import { execFile } from 'node:child_process';
import { copyFile, open, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodeMark } from '../../../src/root/keep/mark.ts';
import { SECTOR_BYTES, withPartition } from '../../../src/root/keep/mbr.ts';
import { overwrite } from './disks.ts';
import { vmDirectory } from './products.ts';

const run = promisify(execFile);
export const MIB = 1 << 20;

/** Where VIVER puts the partition on a stick of a small ISO. */
export const KEEP_AT = 256 * MIB;

/** A stick of this test's own: the ISO (or another disk) written to it by dd, and room behind. */
export async function writtenStick(name: string, iso: string, sizeMiB?: number): Promise<string> {
  const stick = join(vmDirectory('disks'), `${name}.img`);
  await rm(stick, { force: true });
  await copyFile(iso, stick);
  if (sizeMiB !== undefined) await truncate(stick, sizeMiB * MIB);
  return stick;
}

/** Another ISO written over it by dd: what lies behind it stays. */
export async function writeOver(stick: string, iso: string): Promise<void> {
  await run('dd', [`if=${iso}`, `of=${stick}`, 'bs=4M', 'conv=notrunc', 'status=none']);
}

/** What the first boot with viver.cow=keep leaves, made here: an empty file system, its mark, its entry in the table. */
export async function addKeepPartition(stick: string, sizeMiB: number, startBytes = KEEP_AT): Promise<void> {
  const sizeBytes = sizeMiB * MIB;
  const label = ['-t', 'ext4', '-L', 'VIVER-KEEP', '-m', '0'];
  await run('mke2fs', ['-q', '-F', ...label, '-E', `offset=${startBytes}`, stick, `${sizeMiB}M`]);
  await overwrite(stick, startBytes, encodeMark({ sizeBytes }));
  await enterPartition(stick, sizeMiB, startBytes);
}

export async function enterPartition(stick: string, sizeMiB: number, startBytes = KEEP_AT): Promise<void> {
  const sector = Buffer.alloc(SECTOR_BYTES);
  await using file = await open(stick, 'r+');
  await file.read(sector, 0, SECTOR_BYTES, 0);
  const sectors = (sizeMiB * MIB) / SECTOR_BYTES;
  const changed = withPartition(sector, { number: 3, startSector: startBytes / SECTOR_BYTES, sectors });
  await file.write(changed, 0, SECTOR_BYTES, 0);
}
