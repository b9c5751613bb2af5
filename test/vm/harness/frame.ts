/** Ethernet, IPv4 (RFC 791) and UDP (RFC 768), as far as tests make and read them. Addresses are text. */
export interface UdpPacket {
  readonly from: { readonly mac: string; readonly ip: string; readonly port: number };
  readonly to: { readonly mac: string; readonly ip: string; readonly port: number };
  readonly payload: Buffer;
}

/** What is known of a frame without a look at its contents. */
export interface Flow {
  readonly protocol: 'udp' | 'tcp' | 'other';
  readonly from: string;
  readonly to: string;
  readonly fromPort: number;
  readonly toPort: number;
  /** Where what UDP or TCP carries begins. */
  readonly payloadAt: number;
}

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const IPV4 = 0x0800;
const ARP = 0x0806;
const ETHERNET_BYTES = 14;
const IP_BYTES = 20;
const UDP_BYTES = 8;
const PROTOCOLS: Readonly<Record<number, 'tcp' | 'udp'>> = { 6: 'tcp', 17: 'udp' };

export const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');
export const macText = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
export const ipBytes = (ip: string): Buffer => Buffer.from(ip.split('.').map(Number));
export const ipText = (bytes: Uint8Array): string => Array.from(bytes).join('.');

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export function ethernetFrame(from: string, to: string, type: number, payload: Buffer): Buffer {
  const kind = Buffer.alloc(2);
  kind.writeUInt16BE(type);
  return Buffer.concat([macBytes(to), macBytes(from), kind, payload]);
}

/** Without a UDP checksum, which IPv4 allows. */
export function udpFrame({ from, to, payload }: UdpPacket): Buffer {
  const header = Buffer.alloc(IP_BYTES + UDP_BYTES);
  header[0] = 0x45;
  header.writeUInt16BE(IP_BYTES + UDP_BYTES + payload.length, 2);
  header[8] = 64;
  header[9] = 17;
  ipBytes(from.ip).copy(header, 12);
  ipBytes(to.ip).copy(header, 16);
  header.writeUInt16BE(checksum(header.subarray(0, IP_BYTES)), 10);
  header.writeUInt16BE(from.port, IP_BYTES);
  header.writeUInt16BE(to.port, IP_BYTES + 2);
  header.writeUInt16BE(UDP_BYTES + payload.length, IP_BYTES + 4);
  return ethernetFrame(from.mac, to.mac, IPV4, Buffer.concat([header, payload]));
}

/** undefined: no IPv4, or cut short. A fragment but the first has no ports: they are 0. */
export function flowOf(frame: Buffer): Flow | undefined {
  if (frame.length < ETHERNET_BYTES + IP_BYTES || frame.readUInt16BE(12) !== IPV4) return undefined;
  const ip = frame.subarray(ETHERNET_BYTES);
  const headerBytes = (ip.readUInt8(0) & 15) * 4;
  const protocol = PROTOCOLS[ip.readUInt8(9)] ?? 'other';
  const addresses = { from: ipText(ip.subarray(12, 16)), to: ipText(ip.subarray(16, 20)) };
  const payloadAt = ETHERNET_BYTES + headerBytes + UDP_BYTES;
  const isFirst = (ip.readUInt16BE(6) & 0x1fff) === 0;
  if (protocol === 'other' || !isFirst || frame.length < payloadAt)
    return { protocol, ...addresses, fromPort: 0, toPort: 0, payloadAt: ETHERNET_BYTES + headerBytes };
  const ports = { fromPort: ip.readUInt16BE(headerBytes), toPort: ip.readUInt16BE(headerBytes + 2) };
  if (protocol === 'udp') return { protocol, ...addresses, ...ports, payloadAt };
  const offset = ((frame[ETHERNET_BYTES + headerBytes + 12] ?? 0) >> 4) * 4;
  return { protocol, ...addresses, ...ports, payloadAt: ETHERNET_BYTES + headerBytes + offset };
}

export function parseUdp(frame: Buffer): UdpPacket | undefined {
  const flow = flowOf(frame);
  if (flow?.protocol !== 'udp' || flow.fromPort === 0) return undefined;
  const lengthBytes = frame.readUInt16BE(flow.payloadAt - 4) - UDP_BYTES;
  if (lengthBytes < 0 || flow.payloadAt + lengthBytes > frame.length) return undefined;
  return {
    from: { mac: macText(frame.subarray(6, 12)), ip: flow.from, port: flow.fromPort },
    to: { mac: macText(frame.subarray(0, 6)), ip: flow.to, port: flow.toPort },
    payload: frame.subarray(flow.payloadAt, flow.payloadAt + lengthBytes),
  };
}

export interface ArpPacket {
  readonly operation: 'request' | 'reply';
  readonly from: { readonly mac: string; readonly ip: string };
  readonly to: { readonly mac: string; readonly ip: string };
}

/** RFC 826, IPv4 over Ethernet. */
export function arpFrame({ operation, from, to }: ArpPacket): Buffer {
  const head = Buffer.from([0, 1, 8, 0, 6, 4, 0, operation === 'request' ? 1 : 2]);
  const body = Buffer.concat([head, macBytes(from.mac), ipBytes(from.ip), macBytes(to.mac), ipBytes(to.ip)]);
  return ethernetFrame(from.mac, operation === 'request' ? BROADCAST : to.mac, ARP, body);
}

export function parseArp(frame: Buffer): ArpPacket | undefined {
  if (frame.length < ETHERNET_BYTES + 28 || frame.readUInt16BE(12) !== ARP) return undefined;
  const body = frame.subarray(ETHERNET_BYTES);
  const end = (at: number) => ({ mac: macText(body.subarray(at, at + 6)), ip: ipText(body.subarray(at + 6, at + 10)) });
  return { operation: body.readUInt16BE(6) === 1 ? 'request' : 'reply', from: end(8), to: end(18) };
}
