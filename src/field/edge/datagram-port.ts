import type { Socket as UdpSocket } from 'node:dgram';
import { DATAGRAMS, HostAccounts } from '../shares/host-accounts.ts';
import { type Address, type Endpoint, formatAddress, isUsable, parseAddress } from '../wire/address.ts';
import { type Datagram, decodeDatagram, encodeDatagram } from '../wire/datagram.ts';
import type { FieldKey } from '../wire/key.ts';
import { decodeSeek, encodeOffer, isOffer, type Offer } from '../wire/offer.ts';
import { Multicast } from './multicast.ts';
import type { Sockets } from './sockets.ts';

export interface DatagramHandlers {
  /** @param size bytes it had on the wire, the seal not counted */
  readonly datagram: (from: Address, datagram: Datagram, size: number, isMulticast: boolean) => void;
  /** A host that a person wants nothing to do with. */
  readonly isRefused: (host: string) => boolean;
  /** A machine looks for any field. */
  readonly sought: (from: Address, number: number, isMulticast: boolean) => void;
  /** What is no datagram of a field, or not sealed with its key. */
  readonly rejected: (bytes: number) => void;
}

/** The datagrams of a node as they go over the wire: coded, sealed where the field has a key, by multicast too. */
export class DatagramPort {
  readonly #udp: UdpSocket;
  readonly #group: UdpSocket | undefined;
  readonly #multicast: Multicast | undefined;
  readonly #key: FieldKey | undefined;
  readonly #handlers: DatagramHandlers;
  readonly #pace = new HostAccounts(DATAGRAMS);

  constructor(
    { udp, group }: Pick<Sockets, 'udp' | 'group'>,
    listen: Endpoint,
    key: FieldKey | undefined,
    handlers: DatagramHandlers,
  ) {
    this.#udp = udp;
    this.#group = group;
    this.#multicast = group && new Multicast(udp, group, listen.host);
    this.#key = key;
    this.#handlers = handlers;
    udp.on('message', (bytes, from) => this.#received(bytes, from.address, from.port, false));
    group?.on('message', (bytes, from) => this.#received(bytes, from.address, from.port, true));
    // A datagram to a port nobody listens on comes back as an error; that the node is silent says enough.
    udp.on('error', () => {});
    group?.on('error', () => {});
  }

  send(datagram: Datagram, to: Address): void {
    this.#send(encodeDatagram(datagram), to);
  }

  offer(offer: Offer, to: Address): void {
    this.#send(encodeOffer(offer), to);
  }

  /** To everybody on every wire. */
  call(datagram: Datagram): void {
    this.#multicast?.send(this.#sealed(encodeDatagram(datagram)));
  }

  close(): void {
    this.#udp.close();
    this.#multicast?.close();
    this.#group?.close();
  }

  #sealed(plain: Uint8Array): Uint8Array {
    return this.#key?.seal(plain) ?? plain;
  }

  #send(plain: Uint8Array, to: Address): void {
    const { host, port } = parseAddress(to);
    this.#udp.send(this.#sealed(plain), port, host, () => {
      // Lost like any other datagram (no route, no buffer): what it said is said again.
    });
  }

  #received(sealed: Uint8Array, host: string, port: number, isMulticast: boolean): void {
    // What nobody could be answered is not worth reading: port 0, a link-local address, which is none without its link.
    const isHeard = isUsable({ host, port }) && !this.#handlers.isRefused(host);
    if (!isHeard || !this.#pace.spend(host, 1, performance.now())) {
      this.#handlers.rejected(sealed.length);
      return;
    }
    const from = formatAddress(host, port);
    const bytes = this.#key === undefined ? sealed : this.#key.open(sealed);
    const sought = bytes && decodeSeek(bytes);
    if (sought !== undefined) {
      this.#handlers.sought(from, sought, isMulticast);
      return;
    }
    let datagram: Datagram | undefined;
    try {
      if (bytes !== undefined) datagram = decodeDatagram(bytes);
    } catch {
      datagram = undefined;
    }
    if (datagram === undefined) {
      // An offer comes late when whoever looked for an image from this address has found one.
      if (bytes === undefined || !isOffer(bytes)) this.#handlers.rejected(sealed.length);
    } else this.#handlers.datagram(from, datagram, bytes?.length ?? 0, isMulticast);
  }
}
