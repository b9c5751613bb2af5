import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { flushBuffers, readBlockDevice } from '../../linux/block/block.ts';
import { attachLoop } from '../../linux/block/loop.ts';
import { addPartition, deletePartition, readSectors, writeSectors } from '../../linux/block/partition.ts';
import type { BlockDevice } from '../../media/block-devices.ts';
import { makeExt4 } from '../../root/keep/ext4-tools.ts';
import { ISO_START_BYTES, isoVolume } from '../../root/keep/iso-volume.ts';
import { decodeMark, encodeMark, MARK_BYTES } from '../../root/keep/mark.ts';
import { decodeMbr, SECTOR_BYTES, withoutPartition, withPartition } from '../../root/keep/mbr.ts';
import { type BootDisk, type KeepPlace, placesToProbe, planPlace } from '../../root/keep/room.ts';
import type { BootLog } from '../boot-log.ts';
import { keepFailure } from './choice.ts';

const DEVICE_WAIT_MS = 3000;

/**
 * The partition for kept changes on a boot medium that has none in its table: one that an older ISO's table had, which
 * was overwritten with it, or a new one in the room behind the image.
 *
 * The order is what makes a power cut harmless: the file system first, in room that nothing refers to; then the mark;
 * then the entry in the table, one sector. Until the mark is on the disk the next boot finds free room and begins anew.
 * @param medium what the image was found on: the disk itself or a partition of it
 * @param anew does not look for what was kept before
 * @throws BootFailure when no partition can be made
 */
export async function makeKeepPartition(medium: BlockDevice, anew: boolean, log: BootLog): Promise<string> {
  const disk = `/dev/${medium.disk}`;
  const { boot, sector } = readBootDisk(disk);
  const old = anew ? undefined : placesToProbe(boot).find((place) => markAt(disk, place, boot.sizeBytes) !== undefined);
  const plan = planPlace(boot);
  if (typeof plan === 'string') throw noPartition(disk, plan);
  const oldBytes = old === undefined ? undefined : markAt(disk, old, boot.sizeBytes)?.sizeBytes;
  if (old !== undefined && oldBytes !== undefined) {
    log.info(`changes kept with an earlier image are at ${mib(old)} on ${disk}: entered in its partition table again`);
    return enter(disk, sector, { number: plan.number, startBytes: old, sizeBytes: oldBytes });
  }
  log.info(`making a partition for changes on ${disk}, ${mib(plan.sizeBytes)} behind the image`);
  await fillPlace(disk, plan);
  return enter(disk, sector, plan);
}

/**
 * Throws away what a partition holds. One of our own is taken out of the table first, so that a power cut leaves free
 * room; a person's own, which has a label for a mark, gets a new file system.
 * @returns the partition's device, or undefined when it is to be made anew
 */
export async function dropKeepPartition(partition: BlockDevice): Promise<string | undefined> {
  const disk = `/dev/${partition.disk}`;
  const number = partition.partition?.number ?? 0;
  const sector = readSectors(disk, 0, SECTOR_BYTES);
  const isOurs = decodeMark(readSectors(partition.path, 0, MARK_BYTES)) !== undefined;
  if (!isOurs || decodeMbr(sector) === undefined) {
    await makeExt4(partition.path);
    return partition.path;
  }
  writeSectors(partition.path, 0, new Uint8Array(MARK_BYTES));
  writeSectors(disk, 0, withoutPartition(sector, number));
  deletePartition(disk, number);
  return undefined;
}

function readBootDisk(disk: string): { readonly boot: BootDisk; readonly sector: Uint8Array } {
  const { sizeBytes, logicalBlockSize, readOnly } = readBlockDevice(disk);
  if (readOnly) throw noPartition(disk, 'it is write-protected');
  if (logicalBlockSize !== SECTOR_BYTES) throw noPartition(disk, `its sectors have ${logicalBlockSize} bytes`);
  const start = readSectors(disk, 0, ISO_START_BYTES);
  const sector = start.subarray(0, SECTOR_BYTES);
  const partitions = decodeMbr(sector);
  if (partitions === undefined || start.toString('latin1', SECTOR_BYTES, SECTOR_BYTES + 8) === 'EFI PART')
    throw noPartition(disk, 'it has no partition table as the ISO has it (an MBR alone)');
  return { boot: { sizeBytes, partitions, imageEndBytes: isoVolume(start)?.endBytes ?? 0 }, sector };
}

function markAt(disk: string, place: number, diskBytes: number) {
  const mark = decodeMark(readSectors(disk, place, MARK_BYTES));
  return mark !== undefined && place + mark.sizeBytes <= diskBytes ? mark : undefined;
}

/** File system and mark, in this order, both on the disk when it returns. */
async function fillPlace(disk: string, { startBytes, sizeBytes }: KeepPlace): Promise<void> {
  // A mark that an interrupted attempt or another life of the medium left must not speak for what is half made.
  writeSectors(disk, startBytes, new Uint8Array(MARK_BYTES));
  const loop = attachLoop({ file: disk, readOnly: false, directIo: false, offset: startBytes, sizeLimit: sizeBytes });
  try {
    await makeExt4(loop.path);
    flushBuffers(loop.path);
  } finally {
    loop.detach();
  }
  flushBuffers(disk);
  writeSectors(disk, startBytes, encodeMark({ sizeBytes }));
}

/** The commit: one sector. */
async function enter(disk: string, sector: Uint8Array, place: KeepPlace): Promise<string> {
  const { number, startBytes, sizeBytes } = place;
  const entry = { number, startSector: startBytes / SECTOR_BYTES, sectors: sizeBytes / SECTOR_BYTES };
  const changed = withPartition(sector, entry);
  if (!Buffer.from(readSectors(disk, 0, SECTOR_BYTES)).equals(sector))
    throw new Error(`${disk}: its partition table changed meanwhile`);
  writeSectors(disk, 0, changed);
  addPartition(disk, place);
  const device = /\d$/.test(disk) ? `${disk}p${number}` : `${disk}${number}`;
  for (const untilMs = performance.now() + DEVICE_WAIT_MS; !existsSync(device); await sleep(20)) {
    if (performance.now() > untilMs) throw new Error(`${device} does not appear: type exit to try again`);
  }
  return device;
}

const mib = (bytes: number) => `${Math.floor(bytes / 1024 / 1024)} MiB`;

function noPartition(disk: string, why: string): Error {
  return keepFailure(`no partition can be made on ${disk}: ${why}`, {
    first: [
      'a partition of your own on that disk, with ext4 and the label VIVER-KEEP (mkfs.ext4 -L VIVER-KEEP)',
      'viver.cow=LABEL=… for a partition on another disk',
    ],
    choices: ['ram'],
  });
}
