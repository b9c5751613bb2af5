import { bytes, CodecError, decode, encode, literal, padding, struct, u8, u16be, u32be } from '../codec/struct.ts';
import { ipv4 } from '../linux/netlink/rtnetlink.ts';

/** DHCP as far as finding out who serves it: RFC 2131 figure 1, options RFC 2132. Pure. */

const BOOTREQUEST = 1;
const BOOTREPLY = 2;
const ETHERNET = 1;
const COOKIE = 0x63825363;
/** The server is to answer by broadcast: who asks has no address it could be reached by. */
const BROADCAST_FLAG = 0x8000;
const OPTION = { PAD: 0, MESSAGE_TYPE: 53, SERVER: 54, PARAMETERS: 55, END: 255 } as const;
const DISCOVER = 1;
const OFFER = 2;
const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const UDP = 17;

const fixed = struct('DHCP message', [
  ['op', u8],
  ['hardwareType', u8],
  ['hardwareLength', u8],
  ['hops', u8],
  ['xid', u32be],
  ['seconds', u16be],
  ['flags', u16be],
  ['clientAddress', bytes(4)],
  ['yourAddress', bytes(4)],
  ['nextServer', bytes(4)],
  ['relay', bytes(4)],
  ['hardware', bytes(16)],
  ['names', padding(64 + 128)],
  ['cookie', literal(u32be, COOKIE)],
]);

const ipHeader = struct('IPv4 header', [
  ['version', u8],
  ['service', u8],
  ['length', u16be],
  ['id', u16be],
  ['fragment', u16be],
  ['ttl', u8],
  ['protocol', u8],
  ['checksum', u16be],
  ['source', bytes(4)],
  ['destination', bytes(4)],
]);

const udpHeader = struct('UDP header', [
  ['source', u16be],
  ['destination', u16be],
  ['length', u16be],
  ['checksum', u16be],
]);

/** The Internet checksum, RFC 1071. */
export function internetChecksum(data: Uint8Array): number {
  let sum = 0;
  for (const [i, byte] of data.entries()) sum += i % 2 === 0 ? byte * 256 : byte;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/**
 * DHCPDISCOVER as an IPv4 packet to everybody.
 * @param xid by which the answers are known
 * @param mac `52:54:00:12:34:56`
 * @param wanted options the server is asked for
 * @param extra whole options, each its code, length and value
 */
export function encodeDiscover(
  xid: number,
  mac: string,
  wanted: readonly number[],
  extra: readonly number[] = [],
): Uint8Array {
  const hardware = new Uint8Array(16);
  hardware.set(mac.split(':').map((part) => Number.parseInt(part, 16)));
  const none = new Uint8Array(4);
  const message = encode(fixed, {
    op: BOOTREQUEST,
    hardwareType: ETHERNET,
    hardwareLength: 6,
    hops: 0,
    xid,
    seconds: 0,
    flags: BROADCAST_FLAG,
    clientAddress: none,
    yourAddress: none,
    nextServer: none,
    relay: none,
    hardware,
  });
  const options = [OPTION.MESSAGE_TYPE, 1, DISCOVER, OPTION.PARAMETERS, wanted.length, ...wanted, ...extra, OPTION.END];
  const payload = Buffer.concat([message, Uint8Array.from(options)]);
  const length = udpHeader.size + payload.length;
  // A UDP checksum of 0 over IPv4: none (RFC 768).
  const udp = encode(udpHeader, { source: CLIENT_PORT, destination: SERVER_PORT, length, checksum: 0 });
  const header = {
    version: 0x45,
    service: 0,
    length: ipHeader.size + length,
    id: 0,
    fragment: 0,
    ttl: 64,
    protocol: UDP,
    checksum: 0,
    source: none,
    destination: Uint8Array.of(255, 255, 255, 255),
  };
  const checksum = internetChecksum(encode(ipHeader, header));
  return Buffer.concat([encode(ipHeader, { ...header, checksum }), udp, payload]);
}

/** A server's offer. */
export interface DhcpOffer {
  readonly server: string;
  readonly yourAddress: string;
  readonly options: ReadonlyMap<number, Uint8Array>;
}

/** Options as a message or another option has them: code, length, value. @throws CodecError when one is cut short */
export function readOptions(source: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = 0; at < source.length; ) {
    const code = source[at++] as number;
    if (code === OPTION.PAD) continue;
    if (code === OPTION.END) break;
    const length = source[at++];
    if (length === undefined || at + length > source.length) throw new CodecError(`DHCP option ${code} is cut short`);
    // an option that comes twice is one in two parts (RFC 3396)
    options.set(code, Buffer.concat([options.get(code) ?? new Uint8Array(), source.subarray(at, at + length)]));
    at += length;
  }
  return options;
}

/**
 * The offer in an IPv4 packet that answers the question `xid`; undefined for any other packet.
 * @throws CodecError when it is one, but broken
 */
export function decodeOffer(packet: Uint8Array, xid: number): DhcpOffer | undefined {
  if (packet.length < ipHeader.size) return undefined;
  const [ip] = ipHeader.read(packet, 0);
  const headerBytes = (ip.version & 15) * 4;
  if (ip.version >> 4 !== 4 || headerBytes < ipHeader.size || ip.protocol !== UDP) return undefined;
  if ((ip.fragment & 0x3fff) !== 0 || packet.length < headerBytes + udpHeader.size) return undefined;
  const [udp, start] = udpHeader.read(packet, headerBytes);
  if (udp.source !== SERVER_PORT || udp.destination !== CLIENT_PORT) return undefined;
  if (packet.length < start + fixed.size) return undefined;
  const end = Math.min(packet.length, headerBytes + udp.length);
  const [message, after] = fixed.read(packet.subarray(0, end), start);
  if (message.op !== BOOTREPLY || message.xid !== xid) return undefined;
  const options = readOptions(packet.subarray(after, end));
  if (options.get(OPTION.MESSAGE_TYPE)?.[0] !== OFFER) return undefined;
  const server = options.get(OPTION.SERVER);
  if (server === undefined || server.length !== 4) throw new CodecError('a DHCP offer without its server');
  return { server: decode(ipv4, server), yourAddress: decode(ipv4, message.yourAddress), options };
}
