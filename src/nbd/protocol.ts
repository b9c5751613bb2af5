/**
 * The NBD wire format as far as a read-only server speaks it. All numbers are big-endian.
 * Source: doc/proto.md of the NBD project (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md);
 * section names below are that document's. The names in these tables are the ones logs and errors use.
 *
 * Structured replies are spoken when asked for, one chunk per read. An image has no holes or failing parts to gain by
 * them, and the kernel's client knows simple replies only; but QEMU's reads an export whose size is no multiple of 512
 * right only through them (with simple replies it waits for bytes past the end; seen with QEMU 7.2).
 */
import {
  encode,
  listOf,
  literal,
  padding,
  prefixed,
  rest,
  struct,
  u16be,
  u32be,
  u64be,
  u64beBig,
} from '../codec/struct.ts';

// ── Values ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Handshake flags (server) and client flags share their bits. */
export const HANDSHAKE_FLAG = { FIXED_NEWSTYLE: 1, NO_ZEROES: 2 } as const;

/** Transmission flags: what the export can do. */
export const EXPORT_FLAG = {
  HAS_FLAGS: 1,
  READ_ONLY: 2,
  SEND_FLUSH: 4,
  SEND_FUA: 8,
  ROTATIONAL: 16,
  SEND_TRIM: 32,
  SEND_WRITE_ZEROES: 64,
  SEND_DF: 128,
  CAN_MULTI_CONN: 256,
  SEND_RESIZE: 512,
  SEND_CACHE: 1024,
  SEND_FAST_ZERO: 2048,
} as const;

/** Option types. */
export const OPTION = {
  EXPORT_NAME: 1,
  ABORT: 2,
  LIST: 3,
  PEEK_EXPORT: 4,
  STARTTLS: 5,
  INFO: 6,
  GO: 7,
  STRUCTURED_REPLY: 8,
  LIST_META_CONTEXT: 9,
  SET_META_CONTEXT: 10,
  EXTENDED_HEADERS: 11,
} as const;

/** Option reply types. */
export const REPLY = {
  ACK: 1,
  SERVER: 2,
  INFO: 3,
  META_CONTEXT: 4,
  ERR_UNSUP: 0x80000001,
  ERR_POLICY: 0x80000002,
  ERR_INVALID: 0x80000003,
  ERR_PLATFORM: 0x80000004,
  ERR_TLS_REQD: 0x80000005,
  ERR_UNKNOWN: 0x80000006,
  ERR_SHUTDOWN: 0x80000007,
  ERR_BLOCK_SIZE_REQD: 0x80000008,
  ERR_TOO_BIG: 0x80000009,
} as const;

/** Information types of INFO and GO. */
export const INFO = { EXPORT: 0, NAME: 1, DESCRIPTION: 2, BLOCK_SIZE: 3 } as const;

/** Request types. */
export const COMMAND = {
  READ: 0,
  WRITE: 1,
  DISC: 2,
  FLUSH: 3,
  TRIM: 4,
  CACHE: 5,
  WRITE_ZEROES: 6,
  BLOCK_STATUS: 7,
  RESIZE: 8,
} as const;

/** Command flags. */
export const COMMAND_FLAG = { FUA: 1, NO_HOLE: 2, DF: 4, REQ_ONE: 8, FAST_ZERO: 16 } as const;

/** Types of structured reply chunks; every chunk sent here is the last of its reply. */
const CHUNK = { NONE: 0, OFFSET_DATA: 1, ERROR: 0x8001 } as const;
const CHUNK_FLAG_DONE = 1;

/** Error values of a reply; the protocol fixes the numbers on every system. */
export const ERROR = { EPERM: 1, EIO: 5, ENOMEM: 12, EINVAL: 22, ENOSPC: 28, EOVERFLOW: 75, ESHUTDOWN: 108 } as const;

/** The table's name of `value`, or the number itself: for logs. */
export function nameOf(table: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(table).find((name) => table[name] === value) ?? `0x${value.toString(16)}`;
}

// ── Limits ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Longest read: what clients may take for granted when nothing was negotiated ("Block sizes" asks for 32 MiB). */
export const MAX_READ_BYTES = 32 * 1024 * 1024;
/** Longest string ("Conventions"). */
export const MAX_STRING_BYTES = 4096;
/** Reads at any offset and of any length work; whole pages are what the kernel and the field like best. */
export const BLOCK_SIZE = { minimum: 1, preferred: 4096, maximum: MAX_READ_BYTES } as const;

const REQUEST_MAGIC = 0x25609513;
const SIMPLE_REPLY_MAGIC = 0x67446698;
const STRUCTURED_REPLY_MAGIC = 0x668e33ef;
const NEWSTYLE_MAGIC = 0x4e42444d41474943n; // NBDMAGIC
const OPTION_MAGIC = 0x49484156454f5054n; // IHAVEOPT
const OPTION_REPLY_MAGIC = 0x0003e889045565a9n;

// ── Handshake ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** The first bytes of a connection, from the server. */
export const greeting = struct('greeting', [
  ['magic', literal(u64beBig, NEWSTYLE_MAGIC)],
  ['style', literal(u64beBig, OPTION_MAGIC)],
  ['flags', u16be],
]);

/** The client's answer to the greeting. */
export const clientFlags = u32be;

/** Precedes each option; `length` bytes of data follow. */
export const optionHeader = struct('option', [
  ['magic', literal(u64beBig, OPTION_MAGIC)],
  ['option', u32be],
  ['length', u32be],
]);

/** Precedes the data of each reply to an option. */
const optionReplyHeader = struct('option reply', [
  ['magic', literal(u64beBig, OPTION_REPLY_MAGIC)],
  ['option', u32be],
  ['type', u32be],
]);

/** Data of GO and INFO: the export's name and what the client would like to be told. */
export const infoRequest = struct('info request', [
  ['name', prefixed(u32be, MAX_STRING_BYTES)],
  ['wanted', listOf(u16be, u16be, 65535)],
]);

/** Data of REPLY.INFO: one of these; the text is that of INFO.NAME or INFO.DESCRIPTION. */
export const infoExport = struct('info export', [
  ['type', literal(u16be, INFO.EXPORT)],
  ['size', u64be],
  ['flags', u16be],
]);
export const infoBlockSize = struct('info block size', [
  ['type', literal(u16be, INFO.BLOCK_SIZE)],
  ['minimum', u32be],
  ['preferred', u32be],
  ['maximum', u32be],
]);
export const infoText = struct('info text', [
  ['type', u16be],
  ['text', rest],
]);

/** Data of REPLY.SERVER. */
export const serverReply = struct('server', [['name', prefixed(u32be, MAX_STRING_BYTES)]]);

/** The answer to EXPORT_NAME, which starts transmission. */
export const exportReply = struct('export', [
  ['size', u64be],
  ['flags', u16be],
]);
export const exportReplyZeroes = padding(124);

/** One whole reply to an option. */
export function encodeOptionReply(option: number, type: number, data: Uint8Array = new Uint8Array()): Uint8Array {
  const head = encode(optionReplyHeader, { option, type });
  const reply = new Uint8Array(head.length + 4 + data.length);
  reply.set(head);
  reply.set(data, u32be.write(data.length, reply, head.length));
  return reply;
}

// ── Transmission ──────────────────────────────────────────────────────────────────────────────────────────────────
//
//  request, 28 bytes            simple reply, 16 bytes, then the data of a read that succeeded
//   0  u32  0x25609513           0  u32  0x67446698
//   4  u16  command flags        4  u32  error, 0: none
//   6  u16  command              8  u64  cookie
//   8  u64  cookie
//  16  u64  offset
//  24  u32  length; that many bytes follow a WRITE
//
//  structured reply chunk, 20 bytes, then its payload: OFFSET_DATA u64 offset, data; ERROR u32 error, u16 0; NONE nothing
//   0  u32  0x668e33ef
//   4  u16  flags, 1: the last of its reply
//   6  u16  type
//   8  u64  cookie
//  16  u32  length of the payload
//
// Written out by hand, not as structs: these run a hundred thousand times a second.

export const REQUEST_BYTES = 28;
/** The longest header any reply here has. */
export const MAX_REPLY_HEADER_BYTES = 28;

/** What a reply repeats of its request. Its 64 bits mean nothing to the server and stay two words. */
export interface Cookie {
  cookieHigh: number;
  cookieLow: number;
}

/** Bytes. `offset` may be any 64-bit number: above 2^53 it is inexact, but still past the end of every export. */
export interface Range {
  offset: number;
  length: number;
}

export interface Request extends Cookie, Range {
  flags: number;
  command: number;
}

/**
 * Reads the request at `at` into `target`, which is reused so that nothing is allocated.
 * @returns false if the magic number is wrong: the stream has lost its frame and cannot be read on
 */
export function readRequest(view: DataView, at: number, target: Request): boolean {
  if (view.getUint32(at) !== REQUEST_MAGIC) return false;
  target.flags = view.getUint16(at + 4);
  target.command = view.getUint16(at + 6);
  target.cookieHigh = view.getUint32(at + 8);
  target.cookieLow = view.getUint32(at + 12);
  target.offset = view.getUint32(at + 16) * 0x100000000 + view.getUint32(at + 20);
  target.length = view.getUint32(at + 24);
  return true;
}

export function writeRequest(view: DataView, at: number, request: Request): number {
  view.setUint32(at, REQUEST_MAGIC);
  view.setUint16(at + 4, request.flags);
  view.setUint16(at + 6, request.command);
  view.setUint32(at + 8, request.cookieHigh);
  view.setUint32(at + 12, request.cookieLow);
  view.setUint32(at + 16, Math.floor(request.offset / 0x100000000));
  view.setUint32(at + 20, request.offset >>> 0);
  view.setUint32(at + 24, request.length);
  return at + REQUEST_BYTES;
}

/** Writes a whole reply without data, or the header of a read's, at `at`; returns the offset after it. */
export function writeSimpleReply(view: DataView, at: number, error: number, request: Cookie): number {
  view.setUint32(at, SIMPLE_REPLY_MAGIC);
  view.setUint32(at + 4, error);
  view.setUint32(at + 8, request.cookieHigh);
  view.setUint32(at + 12, request.cookieLow);
  return at + 16;
}

function writeChunkHeader(view: DataView, at: number, type: number, request: Cookie, length: number): number {
  view.setUint32(at, STRUCTURED_REPLY_MAGIC);
  view.setUint16(at + 4, CHUNK_FLAG_DONE);
  view.setUint16(at + 6, type);
  view.setUint32(at + 8, request.cookieHigh);
  view.setUint32(at + 12, request.cookieLow);
  view.setUint32(at + 16, length);
  return at + 20;
}

/** Header of the one chunk that answers a read; its data follows. A chunk of data must not be empty. */
export function writeReadChunk(view: DataView, at: number, request: Cookie & Range): number {
  if (request.length === 0) return writeChunkHeader(view, at, CHUNK.NONE, request, 0);
  const next = writeChunkHeader(view, at, CHUNK.OFFSET_DATA, request, 8 + request.length);
  view.setUint32(next, Math.floor(request.offset / 0x100000000));
  view.setUint32(next + 4, request.offset >>> 0);
  return next + 8;
}

/** The one chunk that refuses a read. */
export function writeErrorChunk(view: DataView, at: number, error: number, request: Cookie): number {
  const next = writeChunkHeader(view, at, CHUNK.ERROR, request, 6);
  view.setUint32(next, error);
  view.setUint16(next + 4, 0);
  return next + 6;
}

/** Bytes of data that follow a request: only WRITE carries any. */
export function payloadBytes(request: Request): number {
  return request.command === COMMAND.WRITE ? request.length : 0;
}

/**
 * What is wrong with a request to a read-only export of `size` bytes ("Request types", "Error values").
 * @param structured structured replies were negotiated
 * @returns 0 or one of ERROR
 */
export function requestError(request: Request, size: number, structured: boolean): number {
  const { command, offset, length } = request;
  if (command === COMMAND.DISC) return 0;
  if (command === COMMAND.WRITE || command === COMMAND.TRIM || command === COMMAND.WRITE_ZEROES) return ERROR.EPERM;
  // FUA is known to be set on reads too, and means nothing there. A read is never fragmented anyway.
  const known = COMMAND_FLAG.FUA | (structured && command === COMMAND.READ ? COMMAND_FLAG.DF : 0);
  if ((request.flags & ~known) !== 0) return ERROR.EINVAL;
  if (command === COMMAND.READ) return length <= MAX_READ_BYTES && offset + length <= size ? 0 : ERROR.EINVAL;
  if (command === COMMAND.FLUSH) return offset === 0 && length === 0 ? 0 : ERROR.EINVAL;
  return ERROR.EINVAL;
}
