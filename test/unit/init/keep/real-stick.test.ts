import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BootLog } from '../../../../src/init/boot-log.ts';
import { BootFailure } from '../../../../src/init/failing/failure.ts';
import { dropKeepPartition, makeKeepPartition } from '../../../../src/init/keep/keep-partition.ts';
import { attachLoop, type LoopDevice } from '../../../../src/linux/block/loop.ts';
import { addPartition, deletePartition } from '../../../../src/linux/block/partition.ts';
import { encodeMark } from '../../../../src/root/keep/mark.ts';
import { decodeMbr, type MbrPartition, SECTOR_BYTES } from '../../../../src/root/keep/mbr.ts';
import { device } from '../../media/devices.ts';

/** The partition for kept changes on a real block device: a loop device, which needs root. */

const MIB = 1024 * 1024;
const ISO_BYTES = 40 * MIB;
const KEEP_AT = 256 * MIB;

let folder: string;
let file: string;
let loop: LoopDevice;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-stick-'));
  file = join(folder, 'stick');
  writeIso();
  truncateSync(file, 400 * MIB);
  loop = attachLoop({ file, readOnly: false, partitions: true });
});
afterEach(() => {
  for (const number of [1, 2, 3]) {
    try {
      deletePartition(loop.path, number);
    } catch {
      // it was not there
    }
  }
  loop.detach();
  rmSync(folder, { recursive: true });
});

/** The table of an ISO, written over whatever is there. */
function writeIso(): void {
  const sector = new Uint8Array(SECTOR_BYTES);
  const view = new DataView(sector.buffer);
  const end = ISO_BYTES / SECTOR_BYTES;
  for (const [index, [type, start, sectors]] of [
    [0x83, 64, end - 64 - 8192],
    [0xef, end - 8192, 8192],
  ].entries()) {
    view.setUint8(446 + 16 * index + 4, type ?? 0);
    view.setUint32(446 + 16 * index + 8, start ?? 0, true);
    view.setUint32(446 + 16 * index + 12, sectors ?? 0, true);
  }
  view.setUint16(510, 0xaa55, true);
  const fd = openSync(file, 'a+');
  closeSync(fd);
  put(0, sector);
}

function put(offset: number, bytes: Uint8Array): void {
  const fd = openSync(file, 'r+');
  writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
}

function table() {
  const sector = Buffer.alloc(SECTOR_BYTES);
  const fd = openSync(file, 'r');
  readSync(fd, sector, 0, SECTOR_BYTES, 0);
  closeSync(fd);
  return decodeMbr(sector);
}

const deletePartitionOf = (path: string) => deletePartition(loop.path, Number(/\d+$/.exec(path)?.[0]));

const medium = () => device(`${loop.name}p1`, { disk: loop.name, medium: 'usb' });
const make = (anew = false) => makeKeepPartition(medium(), anew, new BootLog(1));
const labelOf = (path: string) => execFileSync('e2label', [path], { encoding: 'utf8' }).trim();

test('a partition with a sound, labelled file system appears behind the image', async () => {
  const path = await make();
  expect(path).toBe(`${loop.path}p3`);
  expect(table()?.[2]).toMatchObject({ number: 3, type: 0x83, startSector: KEEP_AT / 512, sectors: (144 * MIB) / 512 });
  execFileSync('e2fsck', ['-f', '-n', path], { stdio: 'ignore' });
  expect(labelOf(path)).toBe('VIVER-KEEP');
});

test('a newer ISO written over the old one: the same file system is entered again', async () => {
  execFileSync('tune2fs', ['-L', 'THE-SAME', await make()], { stdio: 'ignore' });
  deletePartition(loop.path, 3);
  writeIso();
  expect(table()).toHaveLength(2);
  expect(labelOf(await make())).toBe('THE-SAME');
});

test('asked to begin anew, it does not look for what was kept before', async () => {
  execFileSync('tune2fs', ['-L', 'BEFORE', await make()], { stdio: 'ignore' });
  deletePartition(loop.path, 3);
  writeIso();
  expect(labelOf(await make(true))).toBe('VIVER-KEEP');
});

test('without its mark a half-made file system is free room, whatever is in it', async () => {
  execFileSync('tune2fs', ['-L', 'HALF-MADE', await make()], { stdio: 'ignore' });
  deletePartition(loop.path, 3);
  writeIso();
  put(KEEP_AT, new Uint8Array(512)); // the power went before the mark was written
  expect(labelOf(await make())).toBe('VIVER-KEEP');
});

test('a mark that says more than the disk has is not believed', async () => {
  put(KEEP_AT, encodeMark({ sizeBytes: 145 * MIB }));
  await make();
  expect(table()?.[2]?.sectors).toBe((144 * MIB) / 512);
});

test('thrown away, it is out of the table before anything new is made', async () => {
  const path = await make();
  const partition = device(path.slice(5), { disk: loop.name, partition: { number: 3, startBytes: KEEP_AT } });
  expect(await dropKeepPartition(partition)).toBeUndefined();
  expect(table()).toHaveLength(2);
  expect(labelOf(await make())).toBe('VIVER-KEEP');
});

test.each([0, 5, 10, 20, 30, 40, 60, 80])(
  'the disk as it is %d ms after the beginning gives a sound partition at the next attempt',
  async (ms) => {
    const making = make();
    await sleep(ms);
    const cut = join(folder, 'cut');
    execFileSync('cp', ['--sparse=always', file, cut]); // what had reached the disk
    deletePartitionOf(await making);
    loop.detach();
    file = cut;
    loop = attachLoop({ file, readOnly: false, partitions: true });
    const entered = table()?.[2];
    const spanOf = ({ startSector, sectors }: MbrPartition) => ({
      number: 3,
      startBytes: startSector * SECTOR_BYTES,
      sizeBytes: sectors * SECTOR_BYTES,
    });
    // The kernel that runs this test need not read such tables itself.
    if (entered !== undefined && !existsSync(`${loop.path}p3`)) addPartition(loop.path, spanOf(entered));
    const path = entered === undefined ? await make() : `${loop.path}p3`;
    execFileSync('e2fsck', ['-p', path], { stdio: 'ignore' });
    execFileSync('e2fsck', ['-f', '-n', path], { stdio: 'ignore' });
    expect(labelOf(path)).toBe('VIVER-KEEP');
  },
);

test('a disk with a GPT is not touched, and the line says what to do', async () => {
  put(512, Buffer.from('EFI PART'));
  const failure = await make().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(BootFailure);
  expect(failure).toMatchObject({
    message: expect.stringMatching(/no partition can be made on \/dev\/loop\d+: .*MBR/),
  });
  expect(table()).toHaveLength(2);
});

test('the table that a boot loader shares its sector with is changed in the entry alone', async () => {
  put(0, Buffer.alloc(440, 0x90));
  await make();
  const start = Buffer.alloc(440);
  const fd = openSync(file, 'r');
  readSync(fd, start, 0, 440, 0);
  closeSync(fd);
  expect(start.equals(Buffer.alloc(440, 0x90))).toBe(true);
});
