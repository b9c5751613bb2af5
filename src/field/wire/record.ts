import { type Codec, CodecError, u8 } from '../../codec/struct.ts';
import { type Address, addressCodec } from './address.ts';
import type { ChunkRange } from './chunk-set.ts';
import { type Holdings, holdingsCodec } from './holdings.ts';
import { u48, varint } from './varint.ts';

/** 48 bits, as a number. Shown as 12 hex digits. */
export type NodeId = number;

/** A record covers this many chunks at least, so that most images take one record a node. */
const PART_MINIMUM = 4096;
/** Parts of one node, at most: with 48 bits of node id a key stays below 2^53. */
export const PARTS_LIMIT = 32;

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
 * Of two records of one node and part the one of the younger life counts, in one life the one of the higher version,
 * at one version the one that says more (down before leaving before up). So any order of arrival ends in one table.
 */
export interface NodeRecord {
  readonly node: NodeId;
  /** Wall clock in ms at which the node started. */
  readonly life: number;
  /** Counts the node's publications within its life. */
  readonly version: number;
  readonly state: number;
  readonly address: Address;
  /** Which part of the image `holdings` covers; 0 of every node also stands for the node itself. */
  readonly part: number;
  readonly holdings: Holdings;
  /** Sum over node, part, life and version, equal for equal rows: what tables are compared by. */
  readonly hash: number;
}

export function makeRecord(fields: Omit<NodeRecord, 'hash'>): NodeRecord {
  return { ...fields, hash: hashOf(fields.node, fields.part, fields.life, fields.version, fields.state) };
}

/** One number for a node and part, below 2^53. */
export function keyOf(node: NodeId, part: number): number {
  return node * PARTS_LIMIT + part;
}

export function formatNode(node: NodeId): string {
  return node.toString(16).padStart(12, '0');
}

/** Chunks that each part of an image of `chunks` chunks covers. */
export function partWidth(chunks: number): number {
  return Math.max(PART_MINIMUM, Math.ceil(chunks / PARTS_LIMIT / 32) * 32);
}

export function partCount(chunks: number): number {
  return Math.max(1, Math.ceil(chunks / partWidth(chunks)));
}

export function partRange(chunks: number, part: number): ChunkRange {
  const width = partWidth(chunks);
  return { start: part * width, end: Math.min(chunks, (part + 1) * width) };
}

/** Positive when `a` supersedes `b` (records of one node and part), 0 when they say the same. */
export function compareRecords(a: NodeRecord, b: NodeRecord): number {
  return a.life - b.life || a.version - b.version || a.state - b.state;
}

export function hashOf(node: NodeId, part: number, life: number, version: number, state: number): number {
  let hash = 0x811c9dc5;
  for (const value of [node, life, version, part * 4 + state]) {
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

/** node (6) · life (6) · version · state and part (1) · address · holdings */
export const recordCodec: Codec<NodeRecord> = {
  sizeOf: (record) =>
    13 + varint.sizeOf(record.version) + addressCodec.sizeOf(record.address) + holdingsCodec.sizeOf(record.holdings),
  write(record, target, offset) {
    let next = u48.write(record.node, target, offset);
    next = u48.write(record.life, target, next);
    next = varint.write(record.version, target, next);
    next = u8.write(record.state * PARTS_LIMIT + record.part, target, next);
    next = addressCodec.write(record.address, target, next);
    return holdingsCodec.write(record.holdings, target, next);
  },
  read(source, offset) {
    let next = offset;
    let node = 0;
    let life = 0;
    let version = 0;
    let stateAndPart = 0;
    let address = '';
    [node, next] = u48.read(source, next);
    [life, next] = u48.read(source, next);
    [version, next] = varint.read(source, next);
    [stateAndPart, next] = u8.read(source, next);
    if (life === 0 || life >= LIFE_LIMIT) throw new CodecError(`life ${life}`);
    if (version >= VERSION_LIMIT) throw new CodecError(`version ${version}`);
    const state = Math.floor(stateAndPart / PARTS_LIMIT);
    if (state > STATE_DOWN) throw new CodecError(`unknown state ${state}`);
    [address, next] = addressCodec.read(source, next);
    const [holdings, end] = holdingsCodec.read(source, next);
    const part = stateAndPart % PARTS_LIMIT;
    return [makeRecord({ node, life, version, state, address, part, holdings }), end];
  },
};

/** Whether a record can be about an image of so many chunks. */
export function fits({ holdings, part }: NodeRecord, chunks: number): boolean {
  if (holdings.size === 0) return true;
  const { start, end } = partRange(chunks, part);
  return holdings.start === start && holdings.size === end - start;
}

/** Whether two records of a row differ in nothing but their version. */
export function saysTheSame(a: NodeRecord, b: NodeRecord): boolean {
  return (
    a.life === b.life &&
    a.state === b.state &&
    a.address === b.address &&
    a.holdings.form === b.holdings.form &&
    a.holdings.count === b.holdings.count &&
    isSameBytes(a.holdings.packed, b.holdings.packed)
  );
}

export function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
