/** The label of a file system as `blkid` gives it, also where it lies outside the first bytes. */
import { DETECTION_BYTES, decodeFileSystem, type FatLayout, fatLayout } from '../file-system.ts';
import { Head } from './head.ts';
import { isoLabel } from './iso-label.ts';
import type { Probe } from './probe.ts';

const latin = new TextDecoder('latin1');

/** Not by a TextDecoder, which for this needs ICU: the executable's snapshot could not hold it. */
const utf16 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf16le');

const ENTRY_BYTES = 32;
/** Enough for any root directory in use; a chain that is a circle ends here too. */
const MOST_CLUSTERS = 100;

const FAT_ENTRY = { end: 0x00, free: 0xe5, escapedE5: 0x05 };
const FAT_ATTRIBUTE = { volume: 0x08, directory: 0x10, longName: 0x0f };

/** The volume's entry among those of a directory: the label, undefined for none here, null at the directory's end. */
function fatEntryLabel(directory: Uint8Array): string | undefined | null {
  for (let at = 0; at + ENTRY_BYTES <= directory.length; at += ENTRY_BYTES) {
    const entry = new Head(directory.subarray(at, at + ENTRY_BYTES), ENTRY_BYTES);
    const [first, attributes] = [entry.u8(0), entry.u8(11)];
    if (first === FAT_ENTRY.end) return null;
    if (first === FAT_ENTRY.free || (attributes & FAT_ATTRIBUTE.longName) === FAT_ATTRIBUTE.longName) continue;
    const kind = attributes & (FAT_ATTRIBUTE.volume | FAT_ATTRIBUTE.directory);
    if (kind !== FAT_ATTRIBUTE.volume || entry.u16(20) !== 0 || entry.u16(26) !== 0) continue;
    const name = Uint8Array.from(entry.bytes(0, 11));
    if (first === FAT_ENTRY.escapedE5) name[0] = 0xe5;
    return latin.decode(name).trimEnd();
  }
  return undefined;
}

function* fatRootLabel(layout: FatLayout): Probe<string | undefined> {
  const { fatStart, fatBytes, rootEntries, rootCluster, clusterBytes, fatEntries } = layout;
  if (rootCluster === undefined) {
    const directory = yield { offset: fatStart + fatBytes, length: rootEntries * ENTRY_BYTES };
    return fatEntryLabel(directory) ?? undefined;
  }
  let cluster = rootCluster;
  for (let count = 0; count < MOST_CLUSTERS && cluster >= 2 && cluster < fatEntries; count++) {
    const offset = fatStart + fatBytes + (cluster - 2) * clusterBytes;
    const label = fatEntryLabel(yield { offset, length: clusterBytes });
    if (label !== undefined) return label ?? undefined;
    const next = yield { offset: fatStart + cluster * 4, length: 4 };
    cluster = new Head(next, 4).u32(0) & 0x0fff_ffff;
  }
  return undefined;
}

const EXFAT_ENTRY = { end: 0x00, label: 0x83 };
const EXFAT_LAST_CLUSTER = 0xffff_fff6;

/** exFAT specification, sections 3.1 and 7.3: an entry of the root directory, at most 11 characters. */
function* exfatLabel(boot: Head): Probe<string | undefined> {
  const sectorBytes = 2 ** boot.u8(108);
  const clusterBytes = sectorBytes * 2 ** boot.u8(109);
  if (sectorBytes > 4096 || clusterBytes > 2 ** 25) return undefined;
  let cluster = boot.u32(96);
  for (let count = 0; count < MOST_CLUSTERS && cluster >= 2 && cluster <= EXFAT_LAST_CLUSTER; count++) {
    const directory = yield { offset: boot.u32(88) * sectorBytes + (cluster - 2) * clusterBytes, length: clusterBytes };
    for (let at = 0; at + ENTRY_BYTES <= directory.length; at += ENTRY_BYTES) {
      const entry = new Head(directory.subarray(at, at + ENTRY_BYTES), ENTRY_BYTES);
      if (entry.u8(0) === EXFAT_ENTRY.end) return undefined;
      if (entry.u8(0) === EXFAT_ENTRY.label) return utf16(entry.bytes(2, Math.min(entry.u8(1) * 2, 22)));
    }
    const next = yield { offset: boot.u32(80) * sectorBytes + cluster * 4, length: 4 };
    cluster = new Head(next, 4).u32(0);
  }
  return undefined;
}

const NTFS = { volumeRecord: 3, volumeName: 0x60, lastAttribute: 0xffff_ffff, mostRecordBytes: 4096 };

/** The attribute $VOLUME_NAME in the fourth record of the master file table, the file $Volume. */
function* ntfsLabel(boot: Head): Probe<string | undefined> {
  const clusterCode = boot.u8(13);
  const clusterSectors = clusterCode > 0x80 ? 2 ** (0x100 - clusterCode) : clusterCode;
  const clusterBytes = boot.u16(11) * clusterSectors;
  const recordCode = boot.u8(64);
  const recordBytes = recordCode > 0x7f ? 2 ** (0x100 - recordCode) : recordCode * clusterBytes;
  if (recordBytes < 512 || recordBytes > NTFS.mostRecordBytes) return undefined;
  const offset = Number(boot.u64(48)) * clusterBytes + NTFS.volumeRecord * recordBytes;
  if (!Number.isSafeInteger(offset)) return undefined;
  const record = new Head(yield { offset, length: recordBytes }, recordBytes);
  if (!record.has(0, 'FILE')) return undefined;
  for (let at = record.u16(20); at + 24 <= recordBytes; ) {
    const [type, size] = [record.u32(at), record.u32(at + 4)];
    if (type === NTFS.lastAttribute || size < 16 || at + size > recordBytes) return undefined;
    const [valueBytes, valueAt] = [record.u32(at + 16), record.u16(at + 20)];
    if (type === NTFS.volumeName && valueAt + valueBytes <= size) return utf16(record.bytes(at + valueAt, valueBytes));
    at += size;
  }
  return undefined;
}

/** @param start the first DETECTION_BYTES bytes of the device */
export function* volumeLabel(start: Uint8Array): Probe<string | undefined> {
  const content = decodeFileSystem(start);
  if (content?.usable !== true) return undefined;
  const head = new Head(start, DETECTION_BYTES);
  if (content.type === 'exfat') return (yield* exfatLabel(head)) || undefined;
  if (content.type === 'ntfs') return (yield* ntfsLabel(head)) || undefined;
  if (content.type === 'iso9660') return isoLabel(head) ?? content.label;
  const layout = content.type === 'vfat' ? fatLayout(head) : undefined;
  const inRoot = layout === undefined ? undefined : yield* fatRootLabel(layout);
  return inRoot ?? content.label;
}
