/**
 * Fills a new exFAT file system, as mkfs.exfat makes it, without mounting it (exFAT specification, sections 3, 6 and 7).
 * Files and directories lie in one piece each, so no chain in the FAT is needed; fsck.exfat is the judge.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';

const ENTRY_BYTES = 32;
const NAME_PER_ENTRY = 15;
const TYPE = { bitmap: 0x81, file: 0x85, stream: 0xc0, name: 0xc1 };
const ATTRIBUTE = { directory: 0x10, archive: 0x20 };
/** Allocation possible, and one piece. */
const IN_ONE_PIECE = 0x03;
/** 2026-01-01 00:00:00, as DOS counts. */
const TIMESTAMP = ((46 << 9) | (1 << 5) | 1) << 16;
const COPY_BYTES = 4 << 20;

interface Volume {
  readonly file: number;
  readonly clusterBytes: number;
  readonly heapStart: number;
  readonly rootCluster: number;
  readonly bitmap: Buffer;
  readonly bitmapStart: number;
}

function read(file: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  readSync(file, bytes, 0, length, offset);
  return bytes;
}

function openVolume(path: string): Volume {
  const file = openSync(path, 'r+');
  const boot = read(file, 0, 512);
  if (boot.toString('latin1', 3, 11) !== 'EXFAT   ') throw new Error(`${path} is no exFAT`);
  const sectorBytes = 1 << boot.readUInt8(108);
  const clusterBytes = sectorBytes << boot.readUInt8(109);
  const heapStart = boot.readUInt32LE(88) * sectorBytes;
  const rootCluster = boot.readUInt32LE(96);
  const root = read(file, heapStart + (rootCluster - 2) * clusterBytes, clusterBytes);
  const at = Array.from({ length: root.length / ENTRY_BYTES }, (_, i) => i * ENTRY_BYTES).find(
    (offset) => root[offset] === TYPE.bitmap,
  );
  if (at === undefined) throw new Error(`${path} has no allocation bitmap`);
  const bitmapStart = heapStart + (root.readUInt32LE(at + 20) - 2) * clusterBytes;
  const bitmap = read(file, bitmapStart, Number(root.readBigUInt64LE(at + 24)));
  return { file, clusterBytes, heapStart, rootCluster, bitmap, bitmapStart };
}

/** So many clusters in one piece, behind all that are in use. */
function allocate({ bitmap, clusterBytes }: Volume, sizeBytes: number): number {
  const count = Math.max(1, Math.ceil(sizeBytes / clusterBytes));
  let first = bitmap.length * 8;
  while (first > 0 && ((bitmap[(first - 1) >> 3] ?? 0) & (1 << ((first - 1) & 7))) === 0) first--;
  if (first + count > bitmap.length * 8) throw new Error(`exFAT: no room for ${sizeBytes} bytes`);
  for (let i = first; i < first + count; i++) bitmap[i >> 3] = (bitmap[i >> 3] ?? 0) | (1 << (i & 7));
  return first + 2;
}

/** The checksums of the specification: one bit to the right, in a circle of 16, and the next byte. */
const rotated = (sum: number, byte: number): number => (((sum >>> 1) | ((sum & 1) << 15)) + byte) & 0xffff;

/** Section 7.6.3: of the name in capital letters; the names here are ASCII. */
function nameHash(name: string): number {
  return Buffer.from(name.toUpperCase(), 'utf16le').reduce((hash, byte) => rotated(hash, byte), 0);
}

/** The entries of one file or directory, section 7.4. */
function entrySet(name: string, cluster: number, sizeBytes: number, isDirectory: boolean): Buffer {
  const names = Math.ceil(name.length / NAME_PER_ENTRY);
  const set = Buffer.alloc((2 + names) * ENTRY_BYTES);
  set.writeUInt8(TYPE.file, 0);
  set.writeUInt8(1 + names, 1);
  set.writeUInt16LE(isDirectory ? ATTRIBUTE.directory : ATTRIBUTE.archive, 4);
  for (const at of [8, 12, 16]) set.writeUInt32LE(TIMESTAMP, at);
  const stream = set.subarray(ENTRY_BYTES);
  stream.writeUInt8(TYPE.stream, 0);
  stream.writeUInt8(IN_ONE_PIECE, 1);
  stream.writeUInt8(name.length, 3);
  stream.writeUInt16LE(nameHash(name), 4);
  stream.writeBigUInt64LE(BigInt(sizeBytes), 8);
  stream.writeUInt32LE(cluster, 20);
  stream.writeBigUInt64LE(BigInt(sizeBytes), 24);
  for (let i = 0; i < names; i++) {
    const entry = set.subarray((2 + i) * ENTRY_BYTES);
    entry.writeUInt8(TYPE.name, 0);
    Buffer.from(name.slice(i * NAME_PER_ENTRY, (i + 1) * NAME_PER_ENTRY), 'utf16le').copy(entry, 2);
  }
  // section 6.3.3: of all bytes but its own two
  const sum = set.reduce((all, byte, i) => (i === 2 || i === 3 ? all : rotated(all, byte)), 0);
  set.writeUInt16LE(sum, 2);
  return set;
}

function append(volume: Volume, directory: number, set: Buffer): void {
  const start = volume.heapStart + (directory - 2) * volume.clusterBytes;
  const bytes = read(volume.file, start, volume.clusterBytes);
  let at = 0;
  while (at < bytes.length && bytes[at] !== 0) at += ENTRY_BYTES;
  if (at + set.length > bytes.length) throw new Error('exFAT: a directory here holds one cluster of entries');
  writeSync(volume.file, set, 0, set.length, start + at);
}

function copyIn(volume: Volume, source: string, cluster: number): void {
  const from = openSync(source, 'r');
  const piece = Buffer.alloc(COPY_BYTES);
  let to = volume.heapStart + (cluster - 2) * volume.clusterBytes;
  for (let bytes = readSync(from, piece); bytes > 0; bytes = readSync(from, piece)) {
    writeSync(volume.file, piece, 0, bytes, to);
    to += bytes;
  }
  closeSync(from);
}

/** @param files path on the file system → file here */
export function fillExfat(image: string, files: Readonly<Record<string, string>>): void {
  const volume = openVolume(image);
  const directories = new Map([['/', volume.rootCluster]]);
  const directoryOf = (path: string): number => {
    const known = directories.get(path);
    if (known !== undefined) return known;
    const parent = directoryOf(dirname(path));
    const cluster = allocate(volume, volume.clusterBytes);
    writeSync(
      volume.file,
      Buffer.alloc(volume.clusterBytes),
      0,
      volume.clusterBytes,
      volume.heapStart + (cluster - 2) * volume.clusterBytes,
    );
    append(volume, parent, entrySet(basename(path), cluster, volume.clusterBytes, true));
    directories.set(path, cluster);
    return cluster;
  };
  for (const [path, source] of Object.entries(files)) {
    const opened = openSync(source, 'r');
    const { size } = fstatSync(opened);
    closeSync(opened);
    const directory = directoryOf(dirname(path));
    const cluster = allocate(volume, size);
    copyIn(volume, source, cluster);
    append(volume, directory, entrySet(basename(path), cluster, size, false));
  }
  writeSync(volume.file, volume.bitmap, 0, volume.bitmap.length, volume.bitmapStart);
  closeSync(volume.file);
}
