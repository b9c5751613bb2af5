import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodecError } from '../codec/struct.ts';
import type { Link } from '../linux/netlink/rtnetlink.ts';
import { PacketSocket } from '../linux/socket/packet-socket.ts';
import { type DhcpOffer, decodeOffer, encodeDiscover } from './dhcp-message.ts';

export interface AskDhcpOptions {
  /** How long to listen. A server that first looks whether an address is free takes up to 3 s. */
  readonly timeoutMs: number;
  /** Options asked for beside those every server sends. */
  readonly wanted?: readonly number[];
  /** Whole options to send with the question. */
  readonly extra?: readonly number[];
  readonly signal?: AbortSignal;
}

const POLL_MS = 40;
const ASK_AGAIN_MS = 1000;
/** Anybody can make up servers. */
const MOST_OFFERS = 256;

/**
 * Which DHCP servers are on a link: asks (DHCPDISCOVER) and hears offers, none of which is taken. Servers of this machine
 * do not hear it.
 * @returns an offer of each, those that answered first first
 * @throws SyscallError when the link is down or gone
 */
export async function askDhcp(link: Pick<Link, 'index' | 'mac'>, options: AskDhcpOptions): Promise<DhcpOffer[]> {
  const { timeoutMs, wanted = [], extra = [], signal } = options;
  using socket = new PacketSocket(link.index);
  const xid = randomBytes(4).readUInt32BE(0);
  const discover = encodeDiscover(xid, link.mac, [1, 3, ...wanted], extra);
  const offers = new Map<string, DhcpOffer>();
  const startMs = performance.now();
  let askedMs = Number.NEGATIVE_INFINITY;
  while (performance.now() - startMs < timeoutMs) {
    if (performance.now() - askedMs >= ASK_AGAIN_MS) {
      socket.broadcast(discover);
      askedMs = performance.now();
    }
    await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal });
    for (let packet = socket.receive(); packet !== undefined; packet = socket.receive()) {
      const offer = offerIn(packet, xid);
      if (offer === undefined || offers.has(offer.server) || offers.size >= MOST_OFFERS) continue;
      offers.set(offer.server, offer);
    }
  }
  return [...offers.values()];
}

function offerIn(packet: Uint8Array, xid: number): DhcpOffer | undefined {
  try {
    return decodeOffer(packet, xid);
  } catch (error) {
    if (error instanceof CodecError) return undefined; // anybody may send anything
    throw error;
  }
}
