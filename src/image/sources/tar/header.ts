import { TarError } from './tar-error.ts';

/**
 * A tar's header block: POSIX.1-2017 (pax, "ustar Interchange Format"), GNU tar's own ("Basic Tar Format" in its manual,
 * src/tar.h), and the one before both (V7). Names and numbers as they stand there; what extension headers say comes on
 * top (pax.ts).
 */
export const BLOCK = 512;

/** Types of members, by their byte in the header. */
export const TYPE = {
  file: '0',
  oldFile: '\0',
  hardLink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
  contiguous: '7',
  pax: 'x',
  paxOfSolaris: 'X',
  paxGlobal: 'g',
  gnuLongName: 'L',
  gnuLongLink: 'K',
  gnuSparse: 'S',
  gnuVolume: 'V',
  gnuContinued: 'M',
  gnuDirectoryList: 'D',
} as const;

export interface TarHeader {
  readonly name: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the data that follows; not checked against anything. */
  readonly size: number;
  readonly mtime: number;
  readonly type: string;
  readonly linkName: Buffer;
  readonly major: number;
  readonly minor: number;
  /** GNU's old sparse files: the first spans, whether blocks with more follow, and the size with the holes. */
  readonly sparse?: { readonly spans: Span[]; readonly continues: boolean; readonly realSize: number };
}

/** Data of a file with holes: half-open, in bytes of the whole file. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const FIELD = {
  name: [0, 100],
  mode: [100, 108],
  uid: [108, 116],
  gid: [116, 124],
  size: [124, 136],
  mtime: [136, 148],
  checksum: [148, 156],
  type: [156, 157],
  linkName: [157, 257],
  magic: [257, 265],
  major: [329, 337],
  minor: [337, 345],
  prefix: [345, 500],
  gnuSpans: [386, 482],
  gnuContinues: [482, 483],
  gnuRealSize: [483, 495],
} as const satisfies Record<string, readonly [number, number]>;

const USTAR = 'ustar\x0000';
const GNU = 'ustar  \0';

const field = (block: Uint8Array, [start, end]: readonly [number, number]): Uint8Array => block.subarray(start, end);

export function isZeroBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/** @returns undefined when it is no header: its checksum is not right */
export function parseHeader(block: Uint8Array): TarHeader | undefined {
  if (!hasChecksum(block)) return undefined;
  const magic = Buffer.from(field(block, FIELD.magic)).toString('latin1');
  const type = String.fromCharCode(block[FIELD.type[0]] ?? 0);
  const name = text(field(block, FIELD.name));
  const prefix = magic === USTAR ? text(field(block, FIELD.prefix)) : Buffer.alloc(0);
  const isDevice = type === TYPE.character || type === TYPE.block;
  const header: TarHeader = {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    mode: number(field(block, FIELD.mode), 'mode') & 0o7777,
    uid: number(field(block, FIELD.uid), 'user'),
    gid: number(field(block, FIELD.gid), 'group'),
    size: number(field(block, FIELD.size), 'size'),
    mtime: number(field(block, FIELD.mtime), 'time'),
    type,
    linkName: text(field(block, FIELD.linkName)),
    major: isDevice ? number(field(block, FIELD.major), 'device') : 0,
    minor: isDevice ? number(field(block, FIELD.minor), 'device') : 0,
  };
  if (type !== TYPE.gnuSparse || magic !== GNU) return header;
  const sparse = {
    spans: gnuSpans(field(block, FIELD.gnuSpans)),
    continues: block[FIELD.gnuContinues[0]] !== 0,
    realSize: number(field(block, FIELD.gnuRealSize), 'size'),
  };
  return { ...header, sparse };
}

const SPAN_BYTES = 24;
const SPANS_IN_BLOCK = 21;

/** A block that goes on with the spans of the header before it. */
export function parseSparseBlock(block: Uint8Array): { spans: Span[]; continues: boolean } {
  const end = SPANS_IN_BLOCK * SPAN_BYTES;
  return { spans: gnuSpans(block.subarray(0, end)), continues: block[end] !== 0 };
}

function gnuSpans(bytes: Uint8Array): Span[] {
  const spans: Span[] = [];
  for (let at = 0; at + SPAN_BYTES <= bytes.length && bytes[at] !== 0; at += SPAN_BYTES) {
    const start = number(bytes.subarray(at, at + 12), 'span');
    spans.push({ start, end: start + number(bytes.subarray(at + 12, at + SPAN_BYTES), 'span') });
  }
  return spans;
}

const BLANK = 0x20;

/** The sum of all bytes, the sum's own field taken as blanks. Some old tars added signed bytes. */
function hasChecksum(block: Uint8Array): boolean {
  const [start, end] = FIELD.checksum;
  const said = octal(block.subarray(start, end));
  if (said === undefined) return false;
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK; i++) {
    const byte = i >= start && i < end ? BLANK : (block[i] as number);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return said === unsigned || said === signed;
}

function text(bytes: Uint8Array): Buffer {
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end));
}

/** Undefined when it holds anything but octal digits between blanks or NULs. */
function octal(bytes: Uint8Array): number | undefined {
  const found = /^ *([0-7]*)[ \0]*/.exec(Buffer.from(bytes).toString('latin1'));
  if (found === null) return undefined;
  const rest = Buffer.from(bytes).toString('latin1').slice(found[0].length);
  if (rest !== '' && !rest.startsWith('\0')) return undefined;
  return found[1] === '' ? 0 : Number.parseInt(found[1] ?? '', 8);
}

/** A number in octal, or by GNU in base 256: the first bit set, the rest big-endian in two's complement. */
function number(bytes: Uint8Array, what: string): number {
  const first = bytes[0] ?? 0;
  if (first < 0x80) {
    const value = octal(bytes);
    if (value === undefined) throw new TarError(`its ${what} is no number`);
    return value;
  }
  let value = 0n;
  for (const [i, byte] of bytes.entries()) value = (value << 8n) | BigInt(i === 0 ? byte & 0x7f : byte);
  const width = BigInt(bytes.length * 8 - 1);
  return Number(BigInt.asIntN(Number(width), value));
}
