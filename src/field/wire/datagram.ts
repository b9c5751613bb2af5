import { bytes, type Codec, CodecError, literal, mapped, struct, u8, u16be, u32be } from '../../codec/struct.ts';
import { type Address, addressCodec } from './address.ts';
import type { ChunkRange } from './chunk-set.ts';
import { DATAGRAM_LIMIT, DATAGRAM_MAGIC, KIND, type Kind, SECTION, type SectionName, VERSION } from './protocol.ts';
import { namedCodec } from './ranges.ts';
import { type NodeId, type NodeRecord, recordCodec } from './record.ts';
import { several, u48 } from './varint.ts';

/** A row by name and content: what is enough to see whether two tables have it alike. */
export interface RowHash {
  readonly node: NodeId;
  readonly hash: number;
}

export interface Digest {
  /** Exclusive or of the hashes of all rows. */
  readonly sum: number;
  readonly rows: number;
}

export interface Down {
  readonly node: NodeId;
  readonly reason: number;
}

export const DOWN_LEFT = 1;
export const DOWN_LOST = 2;
export const DOWN_DROPPED = 3;

/** What may stand in a datagram behind its header, each at most once. */
export interface Sections {
  /** Rows of the V-Table. The sender's own is among them whenever it may have changed. */
  records?: readonly NodeRecord[];
  /** Asks for an answer, which will carry this number. */
  question?: number;
  answer?: number;
  /** In `prove`: say this to be believed. In the others: what `prove` said. */
  cookie?: Uint8Array;
  /** In `prove`: the address the receiver's datagram came from. */
  observed?: Address;
  /** The sender's whole table in one number. */
  digest?: Digest;
  /** The sender's table in 256 numbers. */
  buckets?: Uint32Array;
  /** One bit a bucket: `hashes` names every row the sender has in these. */
  scope?: Uint8Array;
  hashes?: readonly RowHash[];
  /** Rows the sender wants to see. */
  wants?: readonly NodeId[];
  down?: Down;
  /** In `find`: who holds these? */
  ranges?: readonly ChunkRange[];
}

export interface Datagram extends Sections {
  readonly kind: Kind;
  /** First 8 bytes of the image id, as 16 hex digits: other fields on the same wire are none of ours. */
  readonly field: string;
  readonly sender: NodeId;
  /** Chunks in the image; 0 while the sender does not know. */
  readonly chunks: number;
}

const KIND_NAMES = new Map<number, Kind>(Object.entries(KIND).map(([name, number]) => [number, name as Kind]));

const kind: Codec<Kind> = mapped(
  u8,
  (raw) => {
    const name = KIND_NAMES.get(raw);
    if (name === undefined) throw new CodecError(`unknown kind ${raw}`);
    return name;
  },
  (name) => KIND[name],
);

export const fieldName: Codec<string> = mapped(
  bytes(8),
  (raw) => Buffer.from(raw).toString('hex'),
  (hex) => Buffer.from(hex, 'hex'),
);

const header = struct('datagram', [
  ['magic', literal(u16be, DATAGRAM_MAGIC)],
  ['version', literal(u8, VERSION)],
  ['kind', kind],
  ['field', fieldName],
  ['sender', u48],
  ['chunks', u32be],
]);
export const HEADER_SIZE = 22;

const rowHash = struct('row', [
  ['node', u48],
  ['hash', u32be],
]);
const down = struct('down', [
  ['node', u48],
  ['reason', u8],
]);
const digest = struct('digest', [
  ['sum', u32be],
  ['rows', u32be],
]);
const buckets: Codec<Uint32Array> = mapped(
  bytes(1024),
  (raw) => {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
    return Uint32Array.from({ length: 256 }, (_, i) => view.getUint32(i * 4));
  },
  (sums) => {
    const raw = new Uint8Array(1024);
    const view = new DataView(raw.buffer);
    sums.forEach((sum, i) => {
      view.setUint32(i * 4, sum);
    });
    return raw;
  },
);

export const COOKIE_SIZE = 8;
export const SCOPE_SIZE = 32;

/** Rows that one datagram may name. */
const ROWS_NAMED = 1024;

const SECTIONS: { readonly [N in SectionName]: Codec<NonNullable<Sections[N]>> } = {
  records: several(recordCodec, 512),
  question: u32be,
  answer: u32be,
  cookie: bytes(COOKIE_SIZE),
  observed: addressCodec,
  digest,
  buckets,
  scope: bytes(SCOPE_SIZE),
  hashes: several(rowHash, ROWS_NAMED),
  wants: several(u48, ROWS_NAMED),
  down,
  ranges: namedCodec,
};
const NAMES = Object.keys(SECTION) as SectionName[];
const NAME_BY_TYPE = new Map<number, SectionName>(NAMES.map((name) => [SECTION[name], name]));

/** Bytes of a datagram, MAC not counted. */
export function datagramSize(datagram: Datagram): number {
  let size = HEADER_SIZE;
  for (const name of NAMES) {
    const value = datagram[name];
    if (value !== undefined) size += 3 + (SECTIONS[name] as Codec<unknown>).sizeOf(value);
  }
  return size;
}

export function encodeDatagram(datagram: Datagram): Uint8Array<ArrayBuffer> {
  const target = new Uint8Array(datagramSize(datagram));
  let next = header.write(datagram, target, 0);
  for (const name of NAMES) {
    const value = datagram[name];
    if (value === undefined) continue;
    const end = (SECTIONS[name] as Codec<unknown>).write(value, target, next + 3);
    u8.write(SECTION[name], target, next);
    u16be.write(end - next - 3, target, next + 1);
    next = end;
  }
  return target;
}

/**
 * Decodes a datagram whose MAC has been checked and cut off. Sections of unknown type are skipped, so that a later
 * version can say more.
 * @throws CodecError when it is no datagram of V-FIELD, too long, cut short, or a section does not fill its length
 */
export function decodeDatagram(source: Uint8Array): Datagram {
  if (source.length > DATAGRAM_LIMIT) throw new CodecError(`${source.length} bytes are too many`);
  const [head, start] = header.read(source, 0);
  const sections: Record<string, unknown> = {};
  for (let offset = start; offset < source.length; ) {
    const [type, afterType] = u8.read(source, offset);
    const [length, body] = u16be.read(source, afterType);
    if (length > source.length - body) throw new CodecError(`section ${type} is cut short`);
    offset = body + length;
    const name = NAME_BY_TYPE.get(type);
    if (name === undefined) continue;
    if (name in sections) throw new CodecError(`section '${name}' stands twice`);
    const [value, end] = (SECTIONS[name] as Codec<unknown>).read(source.subarray(body, offset), 0);
    if (end !== length) throw new CodecError(`section '${name}' has ${length - end} bytes too many`);
    sections[name] = value;
  }
  return { ...head, ...sections };
}
