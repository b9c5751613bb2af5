import { closeSync, openSync, statSync, writeSync } from 'node:fs';

const MAGIC = 0xa92b4efc;

export type MdFormat = '0.90' | '1.0' | '1.1' | '1.2';
export const MD_FORMATS: readonly MdFormat[] = ['0.90', '1.0', '1.1', '1.2'];

/** Where each format has its superblock (md(4), md_p.h). */
function offsetOf(format: MdFormat, sizeBytes: number): number {
  switch (format) {
    case '0.90':
      return sizeBytes - (sizeBytes % 65_536) - 65_536;
    case '1.0':
      return sizeBytes - (sizeBytes % 4096) - 8192;
    case '1.1':
      return 0;
    case '1.2':
      return 4096;
  }
}

function version0(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  // magic, version 0.90.0, …; size in KiB
  [MAGIC, 0, 90, 0, 0, 0x1234_5678, 1_700_000_000, 1].forEach((word, i) => void view.setUint32(i * 4, word, true));
  view.setUint32(32, (sizeBytes - (sizeBytes % 65_536) - 65_536) / 1024, true);
  [2, 2, 0, 0, 1, 2, 3].forEach((word, i) => void view.setUint32(36 + i * 4, word, true));
  return bytes;
}

function version1(offset: number): Uint8Array {
  const roles = 4;
  const bytes = new Uint8Array(256 + roles * 2);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, 1, true);
  bytes.fill(7, 16, 32); // UUID of the set
  view.setUint32(72, 1, true); // RAID1
  view.setUint32(92, 2, true);
  view.setBigUint64(144, BigInt(offset / 512), true);
  view.setUint32(220, roles, true);
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 4) sum += view.getUint32(i, true);
  view.setUint32(216, Math.floor(sum / 2 ** 32) + (sum % 2 ** 32), true);
  return bytes;
}

/** Makes what these bytes are all of the member of a RAID1, by the superblock alone, as mdadm --create leaves it. */
export function writeMdTo(bytes: Buffer, format: MdFormat): void {
  const offset = offsetOf(format, bytes.length);
  bytes.set(format === '0.90' ? version0(bytes.length) : version1(offset), offset);
}

export function writeMdSuperblock(path: string, format: MdFormat): void {
  const sizeBytes = statSync(path).size;
  const offset = offsetOf(format, sizeBytes);
  const bytes = format === '0.90' ? version0(sizeBytes) : version1(offset);
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}
