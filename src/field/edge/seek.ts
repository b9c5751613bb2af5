/**
 * How a machine that has no image yet finds out what there is: it seeks, on the wire or at a named peer, and nodes of
 * any field offer theirs. docs/v-field.md, "Seek and offer".
 */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type Address, formatAddress, parseAddress } from '../wire/address.ts';
import type { FieldKey } from '../wire/key.ts';
import { decodeOffer, encodeSeek, type Offer } from '../wire/offer.ts';
import { Multicast } from './multicast.ts';

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
