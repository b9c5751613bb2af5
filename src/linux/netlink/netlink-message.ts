/**
 * The netlink wire format, netlink(7) and include/uapi/linux/netlink.h: messages of a header and a payload, and
 * attributes of type and value, all aligned to 4 bytes and in the machine's byte order (little endian on x86-64 and
 * arm64).
 */
import {
  CodecError,
  cstring,
  decode,
  encode,
  i32le,
  struct,
  u8,
  u16be,
  u16le,
  u32le,
  u64le,
} from '../../codec/struct.ts';

export const NLM_F = {
  REQUEST: 1,
  MULTI: 2,
  ACK: 4,
  DUMP_INTERRUPTED: 0x10,
  REPLACE: 0x100,
  EXCLUSIVE: 0x200,
  /** ROOT and MATCH: everything instead of one. */
  DUMP: 0x300,
  CREATE: 0x400,
} as const;

/** Types below 16 belong to netlink itself. */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4 } as const;

const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const ALIGNMENT = 4;

const header = struct('nlmsghdr', [
  ['length', u32le],
  ['type', u16le],
  ['flags', u16le],
  ['sequence', u32le],
  ['port', u32le],
]);

const attributeHeader = struct('nlattr', [
  ['length', u16le],
  ['type', u16le],
]);

export interface NetlinkMessage {
  readonly type: number;
  /** Of NLM_F. */
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array;
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

export function encodeMessage({ type, flags, sequence, payload }: NetlinkMessage): Uint8Array {
  const length = header.size + payload.length;
  const bytes = new Uint8Array(aligned(length));
  const next = header.write({ length, type, flags, sequence, port: 0 }, bytes, 0);
  bytes.set(payload, next);
  return bytes;
}

/**
 * The messages of a datagram.
 * @throws CodecError when a length does not fit
 */
export function decodeMessages(bytes: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const [{ length, type, flags, sequence }, start] = header.read(bytes, offset);
    if (length < header.size || length > bytes.length - offset) {
      throw new CodecError(`nlmsghdr.length: ${length} of ${bytes.length - offset} bytes`);
    }
    messages.push({ type, flags, sequence, payload: bytes.subarray(start, offset + length) });
    offset += aligned(length);
  }
  return messages;
}

/** The positive errno of an NLMSG_ERROR or NLMSG_DONE message; 0 is an acknowledgement. */
export function decodeErrno(message: NetlinkMessage): number {
  // Old kernels end a dump with an empty NLMSG_DONE.
  if (message.type === NLMSG.DONE && message.payload.length < i32le.size) return 0;
  return Math.abs(decode(i32le, message.payload));
}

export function encodeAttributes(attributes: readonly Attribute[]): Uint8Array {
  const size = (value: Uint8Array) => aligned(attributeHeader.size + value.length);
  const bytes = new Uint8Array(attributes.reduce((sum, { value }) => sum + size(value), 0));
  let offset = 0;
  for (const { type, value } of attributes) {
    const length = attributeHeader.size + value.length;
    bytes.set(value, attributeHeader.write({ length, type }, bytes, offset));
    offset += aligned(length);
  }
  return bytes;
}

/**
 * The attributes in order, a list's with one type several times. Values are views.
 * @throws CodecError when a length does not fit
 */
export function decodeAttributes(bytes: Uint8Array): Attribute[] {
  const attributes: Attribute[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const [{ length, type }, start] = attributeHeader.read(bytes, offset);
    if (length < attributeHeader.size || length > bytes.length - offset) {
      throw new CodecError(`nlattr.length: ${length} of ${bytes.length - offset} bytes`);
    }
    attributes.push({ type: type & NLA_TYPE_MASK, value: bytes.subarray(start, offset + length) });
    offset += aligned(length);
  }
  return attributes;
}

/** Makes attributes. `nested` marks the value as more attributes, as newer families demand. */
export const attribute = {
  u8: (type: number, value: number): Attribute => ({ type, value: encode(u8, value) }),
  u16: (type: number, value: number): Attribute => ({ type, value: encode(u16le, value) }),
  u16be: (type: number, value: number): Attribute => ({ type, value: encode(u16be, value) }),
  u32: (type: number, value: number): Attribute => ({ type, value: encode(u32le, value) }),
  u64: (type: number, value: number): Attribute => ({ type, value: encode(u64le, value) }),
  text: (type: number, value: string): Attribute => ({ type, value: Buffer.from(`${value}\0`) }),
  bytes: (type: number, value: Uint8Array): Attribute => ({ type, value }),
  nested: (type: number, value: readonly Attribute[]): Attribute => ({
    type: type | NLA_F_NESTED,
    value: encodeAttributes(value),
  }),
};

/** Reads the values of one list of attributes by type; undefined where there is none. */
export class AttributeReader {
  readonly #attributes: readonly Attribute[];

  constructor(bytes: Uint8Array) {
    this.#attributes = decodeAttributes(bytes);
  }

  bytes(type: number): Uint8Array | undefined {
    return this.#attributes.find((candidate) => candidate.type === type)?.value;
  }

  u8(type: number): number | undefined {
    const value = this.bytes(type);
    return value && decode(u8, value);
  }

  u16(type: number): number | undefined {
    const value = this.bytes(type);
    return value && decode(u16le, value);
  }

  u32(type: number): number | undefined {
    const value = this.bytes(type);
    return value && decode(u32le, value);
  }

  u64(type: number): number | undefined {
    const value = this.bytes(type);
    return value && decode(u64le, value);
  }

  text(type: number): string | undefined {
    const value = this.bytes(type);
    return value && decode(cstring(value.length), value);
  }

  nested(type: number): AttributeReader | undefined {
    const value = this.bytes(type);
    return value && new AttributeReader(value);
  }

  /** The elements of a list, whatever type each carries: an index in some families, one number in others. */
  list(type: number): AttributeReader[] {
    const value = this.bytes(type);
    return value === undefined ? [] : decodeAttributes(value).map((element) => new AttributeReader(element.value));
  }
}
