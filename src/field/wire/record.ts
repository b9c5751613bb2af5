import { type Codec, CodecError, u8, u32be } from '../../codec/struct.ts';
import { type Address, addressCodec } from './address.ts';
import { regionCount } from './regions.ts';
import { type Summary, summaryCodec } from './summary.ts';
import { u48, varint } from './varint.ts';

/** 48 bits, as a number. Shown as 12 hex digits. */
export type NodeId = number;

/** Lives are wall clocks: those from this one on (in the year 2248) are none. */
export const LIFE_LIMIT = 2 ** 43;
/** Versions of one life: a node that comes there begins another life. */
export const VERSION_LIMIT = 2 ** 32;

export const STATE_UP = 0;
/** Still giving, but about to go: take from it what only it holds. */
export const STATE_LEAVING = 1;
export const STATE_DOWN = 2;

/**
 * What a node says of itself, or others of it once it is gone: one row of the V-Table, immutable, complete in itself.
 * Of two records of one node the one of the younger life counts, in one life the one of the higher version, at one
 * version the one that says more (down before leaving before up). So any order of arrival ends in one table.
 */
export interface NodeRecord {
  readonly node: NodeId;
  /** Wall clock in ms at which the node started. */
  readonly life: number;
  /** Counts the node's publications within its life. */
  readonly version: number;
  readonly state: number;
  readonly address: Address;
  /** Which room, site or wire the node was told that it is in (`roomNumber`); 0: it was not. */
  readonly room: number;
  readonly summary: Summary;
  /** Over node, life, version and state, equal for equal rows: what tables are compared by. */
  readonly hash: number;
}

type Fields = Omit<NodeRecord, 'hash' | 'room'> & Partial<Pick<NodeRecord, 'room'>>;

export function makeRecord(fields: Fields): NodeRecord {
  return { room: 0, ...fields, hash: hashOf(fields.node, fields.life, fields.version, fields.state) };
}

export function formatNode(node: NodeId): string {
  return node.toString(16).padStart(12, '0');
}

/** Positive when `a` supersedes `b` (records of one node), 0 when they say the same. */
export function compareRecords(a: NodeRecord, b: NodeRecord): number {
  return a.life - b.life || a.version - b.version || a.state - b.state;
}

export function hashOf(node: NodeId, life: number, version: number, state: number): number {
  let hash = 0x811c9dc5;
  for (const value of [node, life, version, state]) {
    hash = mix(hash ^ ((value % 2 ** 32) >>> 0));
    hash = mix(hash ^ (Math.floor(value / 2 ** 32) >>> 0));
  }
  return hash >>> 0;
}

/** The finalizer of MurmurHash3: every bit of the input reaches every bit of the result. */
export function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** node (6) · life (6) · version · state (1) · room (4) · address · summary */
export const recordCodec: Codec<NodeRecord> = {
  sizeOf: (record) =>
    17 + varint.sizeOf(record.version) + addressCodec.sizeOf(record.address) + summaryCodec.sizeOf(record.summary),
  write(record, target, offset) {
    let next = u48.write(record.node, target, offset);
    next = u48.write(record.life, target, next);
    next = varint.write(record.version, target, next);
    next = u8.write(record.state, target, next);
    next = u32be.write(record.room, target, next);
    next = addressCodec.write(record.address, target, next);
    return summaryCodec.write(record.summary, target, next);
  },
  read(source, offset) {
    const [node, afterNode] = u48.read(source, offset);
    const [life, afterLife] = u48.read(source, afterNode);
    const [version, afterVersion] = varint.read(source, afterLife);
    const [state, afterState] = u8.read(source, afterVersion);
    if (life === 0 || life >= LIFE_LIMIT) throw new CodecError(`life ${life}`);
    if (version >= VERSION_LIMIT) throw new CodecError(`version ${version}`);
    if (state > STATE_DOWN) throw new CodecError(`unknown state ${state}`);
    const [room, afterRoom] = u32be.read(source, afterState);
    const [address, afterAddress] = addressCodec.read(source, afterRoom);
    const [summary, end] = summaryCodec.read(source, afterAddress);
    return [makeRecord({ node, life, version, state, room, address, summary }), end];
  },
};

/** Whether a record can be about an image of so many chunks. */
export function fits({ summary }: NodeRecord, chunks: number): boolean {
  return summary.regions === 0 || (summary.regions === regionCount(chunks) && summary.count <= chunks);
}
