import {
  DHCP_TYPES,
  type DhcpMessage,
  type DhcpType,
  decodeDhcp,
  dhcpTypeOf,
  encodeDhcp,
  OPTION,
} from './dhcp-message.ts';
import { arpFrame, BROADCAST, ipBytes, ipText, parseArp, parseUdp, udpFrame } from './frame.ts';
import type { Wire } from './wire.ts';

const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const LEASE_SECONDS = 3600;
/** It names itself as name server, and this as the domain. */
const DOMAIN = 'lan.test';

/** Another's DHCP server on the wire, as a home router has it: addresses, and nothing about booting. */
export class DhcpServer {
  readonly mac: string;
  readonly ip: string;
  readonly #prefix: string;
  readonly #first: number;
  /** Address by card. */
  readonly leases = new Map<string, string>();
  /** Every type heard, with who said it. */
  readonly heard: { readonly type: DhcpType; readonly mac: string }[] = [];

  /** @param ip its own, in a /24; leases begin at `.first` there */
  constructor(ip = '192.168.77.1', first = 100, mac = '52:54:00:77:00:01') {
    this.ip = ip;
    this.mac = mac;
    this.#first = first;
    this.#prefix = ip.replace(/\d+$/, '');
  }

  /** Pure but for the leases: a frame in, the answers out. */
  answer(frame: Buffer): readonly Buffer[] {
    const arp = parseArp(frame);
    if (arp?.operation === 'request' && arp.to.ip === this.ip)
      return [arpFrame({ operation: 'reply', from: { mac: this.mac, ip: this.ip }, to: arp.from })];
    const packet = parseUdp(frame);
    if (packet?.to.port !== SERVER_PORT) return [];
    const message = decodeDhcp(packet.payload);
    const type = message && dhcpTypeOf(message);
    if (message === undefined || type === undefined || message.operation !== 'request') return [];
    this.heard.push({ type, mac: message.mac });
    if (type === 'discover') return [this.#reply(message, 'offer', this.#addressOf(message.mac))];
    const chosen = message.options.get(OPTION.server);
    if (type !== 'request' || (chosen !== undefined && ipText(chosen) !== this.ip)) return [];
    return [this.#reply(message, 'ack', this.#addressOf(message.mac))];
  }

  plugInto(wire: Wire): Disposable {
    const port = wire.attach('dhcp-server', (frame) => {
      for (const answer of this.answer(frame)) port.send(answer);
    });
    return port;
  }

  #addressOf(mac: string): string {
    const known = this.leases.get(mac);
    if (known !== undefined) return known;
    const address = `${this.#prefix}${this.#first + this.leases.size}`;
    this.leases.set(mac, address);
    return address;
  }

  #reply(message: DhcpMessage, type: 'offer' | 'ack', address: string): Buffer {
    const seconds = Buffer.alloc(4);
    seconds.writeUInt32BE(LEASE_SECONDS);
    const payload = encodeDhcp({
      operation: 'reply',
      transaction: message.transaction,
      mac: message.mac,
      yourIp: address,
      options: new Map([
        [OPTION.type, Buffer.from([DHCP_TYPES[type]])],
        [OPTION.server, ipBytes(this.ip)],
        [OPTION.leaseSeconds, seconds],
        [OPTION.mask, Buffer.from([255, 255, 255, 0])],
        [OPTION.router, ipBytes(this.ip)],
        [OPTION.dns, ipBytes(this.ip)],
        [OPTION.domain, Buffer.from(DOMAIN)],
      ]),
    });
    return udpFrame({
      from: { mac: this.mac, ip: this.ip, port: SERVER_PORT },
      to: { mac: BROADCAST, ip: '255.255.255.255', port: CLIENT_PORT },
      payload,
    });
  }
}
