/**
 * How a machine that has no image yet finds out what there is: it seeks, on the wire or at a named peer, and nodes of
 * any field offer theirs. docs/v-field.md, "Seek and offer".
 */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
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
} from '../codec/struct.ts';
import { type Address, formatAddress, parseAddress } from './address.ts';
import type { FieldKey } from './key.ts';
import { Multicast } from './multicast.ts';
import type { NodeId } from './record.ts';
import { u48 } from './varint.ts';
import { DATAGRAM_MAGIC, OFFER_KIND, SEEK_KIND, VERSION } from './wire.ts';

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

/** @throws CodecError when it is no offer */
export function decodeOffer(datagram: Uint8Array): Offer {
  const { number, node, id, sizeBytes, name } = decode(offerCodec, datagram);
  return { number, node, id, sizeBytes, name };
}

export interface SeekOptions {
  readonly peers: readonly Address[];
  /** Called out on the wires too. */
  readonly multicast: boolean;
  readonly key?: FieldKey | undefined;
  /** Called with every offer, by which node at which address; the same ones come again and again. */
  readonly onOffer: (offer: Offer, from: Address) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

const SEEK_EVERY_MS = 500;

/**
 * Seeks until `signal` aborts, then resolves.
 * @throws the system's error when there is no socket to be had
 */
export async function seek({ peers, multicast, key, onOffer, signal }: SeekOptions): Promise<void> {
  const socket = createSocket('udp4');
  // A peer that is not up yet answers by an ICMP error: it is asked again.
  socket.on('error', () => {});
  socket.bind();
  await once(socket, 'listening');
  const number = randomBytes(4).readUInt32BE();
  const plain = encodeSeek(number);
  const datagram = key?.seal(plain) ?? plain;
  socket.on('message', (sealed, from) => {
    const bytes = key === undefined ? sealed : key.open(sealed);
    if (bytes === undefined) return;
    try {
      const offer = decodeOffer(bytes);
      if (offer.number === number) onOffer(offer, formatAddress(from.address, from.port));
    } catch {
      // Not for us, or not sound: others may answer.
    }
  });
  const group = multicast ? new Multicast(socket, undefined, '0.0.0.0') : undefined;
  const call = () => {
    group?.send(datagram);
    for (const peer of peers) {
      const { host, port } = parseAddress(peer);
      socket.send(datagram, port, host, () => {});
    }
  };
  const timer = setInterval(call, SEEK_EVERY_MS);
  try {
    if (!signal.aborted) {
      call();
      await once(signal, 'abort');
    }
  } finally {
    clearInterval(timer);
    group?.close();
    socket.close();
  }
}
