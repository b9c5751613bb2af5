/** Signatures at the end of a device: the file system that was there before, or is inside, still shows at the start. */
import { crc32, ddfCrc } from './checksum.ts';
import type { Geometry } from './geometry.ts';
import { Head } from './head.ts';
import { isMd0, isMd1, MD_BYTES, md0Offset, md10Offset } from './md.ts';
import { MD_MEMBER, member, type UnusableContent } from './members.ts';
import type { Probe } from './probe.ts';

const SECTOR = 512;
/** From the second place of a DDF header, 257 sectors before the end, on. */
const END_BYTES = 258 * SECTOR;
/** Firmware RAIDs are made of disks that are larger than this. */
const LEAST_BYTES = 0x1_0000;

/** The last bytes of a device, by how far before its end they lie. */
class Tail {
  readonly #head: Head;
  readonly #length: number;

  constructor(bytes: Uint8Array) {
    this.#length = bytes.length;
    this.#head = new Head(bytes, bytes.length);
  }

  /** `length` bytes that begin so many sectors before the last whole sector's end; zeroes when there are not as many. */
  sector(fromEnd: number, length = SECTOR): Head {
    const start = this.#length - fromEnd * SECTOR;
    return new Head(start < 0 ? new Uint8Array(0) : this.#head.bytes(start, length), length);
  }
}

function sumOfWords(head: Head, bytes: number): number {
  let sum = 0;
  for (let i = 0; i < bytes; i += 2) sum += head.u16(i);
  return sum & 0xffff;
}

function via(head: Head): boolean {
  const bytes = head.bytes(0, 50);
  return (
    head.u16(0) === 0xaa55 && head.u8(2) <= 2 && (bytes.reduce((sum, byte) => sum + byte, 0) & 0xff) === head.u8(50)
  );
}

function nvidia(head: Head): boolean {
  if (!head.has(0, 'NVIDIA  ') || head.u32(8) !== 30) return false;
  let sum = head.u32(12);
  for (let i = 0; i < 120; i += 4) sum += head.u32(i);
  return sum % 2 ** 32 === head.u32(12);
}

const silicon = (head: Head): boolean =>
  head.u32(0x60) === 0x2f00_0000 && head.u8(0x116) < 8 && (sumOfWords(head, 0x13e) + head.u16(0x13e)) % 0x1_0000 === 0;

const jmicron = (head: Head): boolean => head.has(0, 'JM') && sumOfWords(head, 128) <= 1 && head.u8(0x30) <= 5;

const adaptec = (head: Head): boolean => head.u32be(0) === 0x37fc_4d1e && head.has(0x100, 'DPTM');

/** What firmware and controllers write on whole disks, in the sector so many before the end. */
const ON_DISKS: readonly {
  readonly type: string;
  readonly name: string;
  readonly sector: number | 'last two blocks';
  readonly is: (head: Head) => boolean;
}[] = [
  {
    type: 'isw_raid_member',
    name: 'Intel',
    sector: 'last two blocks',
    is: (head) => head.has(0, 'Intel Raid ISM Cfg Sig. '),
  },
  { type: 'lsi_mega_raid_member', name: 'LSI', sector: 1, is: (head) => head.has(0, '$XIDE$') },
  { type: 'via_raid_member', name: 'VIA', sector: 1, is: via },
  { type: 'silicon_medley_raid_member', name: 'Silicon Image', sector: 1, is: silicon },
  { type: 'nvidia_raid_member', name: 'NVIDIA', sector: 2, is: nvidia },
  {
    type: 'hpt45x_raid_member',
    name: 'HighPoint',
    sector: 11,
    is: (head) => [0x5a78_16f3, 0x5a78_16fd].includes(head.u32(0)),
  },
  { type: 'adaptec_raid_member', name: 'Adaptec', sector: 1, is: adaptec },
  { type: 'jmicron_raid_member', name: 'JMicron', sector: 1, is: jmicron },
  ...[16, 63, 255, 256].map((sector) => ({
    type: 'promise_fasttrack_raid_member',
    name: 'Promise',
    sector,
    is: promise,
  })),
];

function promise(head: Head): boolean {
  return head.has(0, 'Promise Technology, Inc.');
}

/** Further places of Promise's, in sectors before the end, which lie outside what is read at once. */
const PROMISE_FURTHER = [399, 591, 675, 735, 911, 951, 974, 991, 3087];

const DRBD_BYTES = 4096;
/** The metadata of a DRBD resource that has them on the same disk: in the last 4 KiB (drbd_meta_data.c). */
function drbd(head: Head): boolean {
  const magic = head.u32be(60);
  return [0x8374_026b, 0x8374_026c, 0x8374_026d].includes(magic) && head.u32be(80) === 4096;
}

/** SNIA's Common RAID Disk Data Format: a header in the last sector or 256 before it, its first one elsewhere. */
function* ddf(tail: Tail): Probe<boolean> {
  for (const sector of [1, 257]) {
    const head = tail.sector(sector);
    const bytes = Uint8Array.from(head.bytes(0, SECTOR));
    // the checksum itself counts as ones
    bytes.fill(0xff, 4, 8);
    if (head.u32be(0) !== 0xde11_de11 || ![ddfCrc(bytes), crc32(bytes)].includes(head.u32be(4))) continue;
    const primary = Number(head.u64be(96));
    if (primary === 0) return true;
    if (!Number.isSafeInteger(primary * SECTOR)) return false;
    const first = yield { offset: primary * SECTOR, length: 4 };
    return new Head(first, 4).u32be(0) === 0xde11_de11;
  }
  return false;
}

/** @returns what the device is a part of, by its last bytes */
export function* memberAtEnd(geometry: Geometry): Probe<UnusableContent | undefined> {
  const { sizeBytes, sectorBytes } = geometry;
  const wholeBytes = sizeBytes - (sizeBytes % SECTOR);
  if (wholeBytes < LEAST_BYTES) return undefined;
  const start = Math.max(0, wholeBytes - END_BYTES);
  const bytes = yield { offset: start, length: sizeBytes - start };
  // a device that is shorter than it says has nothing at its end
  if (bytes.length < sizeBytes - start) return undefined;
  const at = (offset: number, length: number) =>
    offset < start ? new Uint8Array(0) : bytes.subarray(offset - start, offset - start + length);
  const [md0, md10] = [md0Offset(geometry), md10Offset(geometry)];
  if (isMd0(at(md0, MD_BYTES), md0, geometry) || isMd1(at(md10, MD_BYTES), md10)) return MD_MEMBER;
  const tail = new Tail(bytes.subarray(0, wholeBytes - start));
  if (drbd(new Head(at(sizeBytes - DRBD_BYTES, DRBD_BYTES), DRBD_BYTES))) return member('drbd', 'part of a DRBD');
  if (yield* ddf(tail)) return member('ddf_raid_member', 'part of a RAID that the controller makes');
  if (geometry.partitions === undefined) return undefined;
  const perBlock = sectorBytes / SECTOR;
  for (const { type, name, sector, is } of ON_DISKS) {
    const fromEnd = sector === 'last two blocks' ? 2 * perBlock + (wholeBytes % sectorBytes) / SECTOR : sector;
    if (is(tail.sector(fromEnd))) return member(type, `part of a RAID that the firmware makes (${name})`);
  }
  for (const fromEnd of geometry.isAta ? PROMISE_FURTHER : []) {
    const offset = wholeBytes - fromEnd * SECTOR;
    if (offset < 0) break;
    const head = new Head(yield { offset, length: 24 }, 24);
    if (promise(head))
      return member('promise_fasttrack_raid_member', 'part of a RAID that the firmware makes (Promise)');
  }
  return undefined;
}
