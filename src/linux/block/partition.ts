import { closeSync, constants, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { ioctl } from '../ioctl.ts';
import { addressOf } from '../libc.ts';
import { alignedBuffer } from './block.ts';

/** include/uapi/linux/blkpg.h */
const BLKPG = 0x1269;
const BLKPG_OPERATIONS = { add: 1, delete: 2 } as const;
const ARGUMENT_BYTES = 24;
const PARTITION_BYTES = 152;

export interface NewPartition {
  readonly number: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
}

/**
 * Tells the kernel of a partition: its device appears. The others stay as they are, mounted or not, which BLKRRPART
 * would refuse.
 */
export function addPartition(disk: string, partition: NewPartition): void {
  changePartition('add', disk, partition);
}

/** The partition's device goes; EBUSY while it is in use. */
export function deletePartition(disk: string, number: number): void {
  changePartition('delete', disk, { number, startBytes: 0, sizeBytes: 0 });
}

function changePartition(operation: keyof typeof BLKPG_OPERATIONS, disk: string, change: NewPartition): void {
  const { number, startBytes, sizeBytes } = change;
  const partition = new Uint8Array(PARTITION_BYTES);
  const fields = new DataView(partition.buffer);
  fields.setBigInt64(0, BigInt(startBytes), true);
  fields.setBigInt64(8, BigInt(sizeBytes), true);
  fields.setInt32(16, number, true);
  const argument = new Uint8Array(ARGUMENT_BYTES);
  const words = new DataView(argument.buffer);
  words.setInt32(0, BLKPG_OPERATIONS[operation], true);
  words.setInt32(8, PARTITION_BYTES, true);
  words.setBigUint64(16, addressOf(partition), true);
  const fd = openSync(disk, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    ioctl('BLKPG', `${operation} partition ${number} of ${disk}`, fd, BLKPG, argument);
  } finally {
    closeSync(fd);
  }
}

/** A disk's bytes past every cache: what is read is what is on it, what was written is on it. */
export function readSectors(disk: string, offset: number, length: number): Buffer {
  const fd = openSync(disk, constants.O_RDONLY | constants.O_DIRECT);
  try {
    const bytes = alignedBuffer(length);
    const count = readSync(fd, bytes, 0, length, offset);
    if (count !== length) throw new Error(`read ${disk}: ends at byte ${offset + count}`);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

/** Whole sectors, and nothing beside them. */
export function writeSectors(disk: string, offset: number, sectors: Uint8Array): void {
  const fd = openSync(disk, constants.O_RDWR | constants.O_DIRECT | constants.O_DSYNC);
  try {
    const bytes = alignedBuffer(sectors.length);
    bytes.set(sectors);
    const count = writeSync(fd, bytes, 0, bytes.length, offset);
    if (count !== bytes.length) throw new Error(`write ${disk}: ${count} of ${bytes.length} bytes at ${offset}`);
    fsyncSync(fd); // what was written by others too
  } finally {
    closeSync(fd);
  }
}
