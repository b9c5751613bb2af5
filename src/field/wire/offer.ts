/** The two datagrams that belong to no field: a machine without an image seeks, nodes of any field offer theirs. */
import {
  bytes,
  CodecError,
  decode,
  encode,
  literal,
  mapped,
  padding,
  prefixedText,
  struct,
  u8,
  u16be,
  u32be,
  u64be,
} from '../../codec/struct.ts';
import { DATAGRAM_MAGIC, OFFER_KIND, SEEK_KIND, VERSION } from './protocol.ts';
import type { NodeId } from './record.ts';
import { u48 } from './varint.ts';

/** Longest name in an offer, in bytes. */
const NAME_LIMIT = 128;
/** As long as the longest offer: nobody is made to send more than was sent to him. */
const SEEK_PADDING = 200;

export interface Offer {
  /** What the seek had. */
  readonly number: number;
  readonly node: NodeId;
  /** The image id, 64 hex digits. */
  readonly id: string;
  readonly sizeBytes: number;
  /** What people call the image. */
  readonly name: string;
}

const hex = mapped(
  bytes(32),
  (raw) => Buffer.from(raw).toString('hex'),
  (text) => Buffer.from(text, 'hex'),
);

const seekCodec = struct('seek', [
  ['magic', literal(u16be, DATAGRAM_MAGIC)],
  ['version', literal(u8, VERSION)],
  ['kind', literal(u8, SEEK_KIND)],
  ['number', u32be],
  ['pad', padding(SEEK_PADDING)],
]);

const offerCodec = struct('offer', [
  ['magic', literal(u16be, DATAGRAM_MAGIC)],
  ['version', literal(u8, VERSION)],
  ['kind', literal(u8, OFFER_KIND)],
  ['number', u32be],
  ['node', u48],
  ['id', hex],
  ['sizeBytes', u64be],
  ['name', prefixedText(u8, NAME_LIMIT)],
]);

/** The number of a seek; undefined when the datagram is another, or shorter than a seek must be. */
export function decodeSeek(datagram: Uint8Array): number | undefined {
  if (datagram[3] !== SEEK_KIND) return undefined;
  try {
    return decode(seekCodec, datagram).number;
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

export function encodeSeek(number: number): Uint8Array {
  return encode(seekCodec, { number });
}

export function encodeOffer(offer: Offer): Uint8Array {
  const name = Buffer.byteLength(offer.name) <= NAME_LIMIT ? offer.name : offer.id.slice(0, 12);
  return encode(offerCodec, { ...offer, name });
}

/** Whether it says it is one; what it holds is not looked at. */
export function isOffer(datagram: Uint8Array): boolean {
  const [high = 0, low = 0, version, kind] = datagram;
  return high * 256 + low === DATAGRAM_MAGIC && version === VERSION && kind === OFFER_KIND;
}

/** @throws CodecError when it is no offer */
export function decodeOffer(datagram: Uint8Array): Offer {
  const { number, node, id, sizeBytes, name } = decode(offerCodec, datagram);
  return { number, node, id, sizeBytes, name };
}
