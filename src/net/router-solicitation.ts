import { bytes, CodecError, decode, encode, struct, u8, u16be, u32be } from '../codec/struct.ts';
import { internetChecksum } from './dhcp-message.ts';

/**
 * IPv6 router discovery, RFC 4861 sections 4.1 and 4.2, as far as telling somebody who asks that there is no router.
 * Pure.
 */

const ICMPV6 = 58;
const SOLICITATION = 133;
const ADVERTISEMENT = 134;
const SOURCE_LINK_ADDRESS = 1;
/** A packet that a router has passed on has less: it is not from this link. */
const HOP_LIMIT = 255;
const IPV6_BYTES = 40;
const SOLICITATION_BYTES = 8;

/** Where solicitations go: all routers, RFC 2464 section 7. */
export const ALL_ROUTERS_MAC = '33:33:00:00:00:02';

const header = struct('IPv6 header', [
  ['version', u32be],
  ['length', u16be],
  ['next', u8],
  ['hopLimit', u8],
  ['source', bytes(16)],
  ['destination', bytes(16)],
]);

const advertisement = struct('router advertisement', [
  ['type', u8],
  ['code', u8],
  ['checksum', u16be],
  ['hopLimit', u8],
  ['flags', u8],
  ['lifetimeSeconds', u16be],
  ['reachableMs', u32be],
  ['retransmitMs', u32be],
]);

export interface Solicitation {
  /** Its link-local address. */
  readonly address: Uint8Array;
  readonly mac: string;
}

/** Who asks for routers, as an IPv6 packet. undefined: it is something else, broken, or says no address to answer. */
export function decodeSolicitation(packet: Uint8Array): Solicitation | undefined {
  if (packet.length < IPV6_BYTES + SOLICITATION_BYTES) return undefined;
  const ip = decode(header, packet.subarray(0, IPV6_BYTES));
  if (ip.version >>> 28 !== 6 || ip.next !== ICMPV6 || ip.hopLimit !== HOP_LIMIT) return undefined;
  const message = packet.subarray(IPV6_BYTES, IPV6_BYTES + ip.length);
  if (message.length !== ip.length || message[0] !== SOLICITATION || message[1] !== 0) return undefined;
  const isLinkLocal = ip.source[0] === 0xfe && ((ip.source[1] ?? 0) & 0xc0) === 0x80;
  const mac = linkAddress(message.subarray(SOLICITATION_BYTES));
  return isLinkLocal && mac !== undefined ? { address: Uint8Array.from(ip.source), mac } : undefined;
}

/** The option that says the sender's link address: type, length in units of 8 bytes, then the address. */
function linkAddress(options: Uint8Array): string | undefined {
  for (let at = 0; at + 8 <= options.length; ) {
    const length = (options[at + 1] ?? 0) * 8;
    if (length === 0) return undefined;
    if (options[at] === SOURCE_LINK_ADDRESS)
      return Array.from(options.subarray(at + 2, at + 8), (byte) => byte.toString(16).padStart(2, '0')).join(':');
    at += length;
  }
  return undefined;
}

/** The link-local address a card makes of its own, RFC 4291 appendix A. @param mac `52:54:00:…` */
export function linkLocalOf(mac: string): Uint8Array {
  const card = mac.split(':').map((byte) => Number.parseInt(byte, 16));
  if (card.length !== 6 || card.some((byte) => !(byte >= 0 && byte <= 255))) throw new CodecError(`no MAC: ${mac}`);
  const [first = 0, ...rest] = card;
  return Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2));
}

/**
 * The answer as an IPv6 packet: a lifetime of 0, no prefix, no flag. Who hears it takes nobody for a router and gives
 * itself no address; it only knows that there is nothing to wait for.
 */
export function encodeNoRouter(from: Uint8Array, to: Uint8Array): Uint8Array {
  const fields = {
    ...{ type: ADVERTISEMENT, code: 0, checksum: 0, hopLimit: 0, flags: 0 },
    ...{ lifetimeSeconds: 0, reachableMs: 0, retransmitMs: 0 },
  };
  const { length } = encode(advertisement, fields);
  const pseudo = Uint8Array.of(...from, ...to, 0, 0, 0, length, 0, 0, 0, ICMPV6);
  const checksum = internetChecksum(Uint8Array.of(...pseudo, ...encode(advertisement, fields)));
  const ip = { version: 0x60000000, length, next: ICMPV6, hopLimit: HOP_LIMIT, source: from, destination: to };
  return Uint8Array.of(...encode(header, ip), ...encode(advertisement, { ...fields, checksum }));
}
