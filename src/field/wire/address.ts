import { isIP, SocketAddress } from 'node:net';
import { type Codec, CodecError, u8, u16be } from '../../codec/struct.ts';

/** `1.2.3.4:5` or `[::1]:5`: one text for one endpoint, UDP and TCP alike. */
export type Address = string;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export function formatAddress(host: string, port: number): Address {
  // What a dual-stack socket calls ::ffff:1.2.3.4 is 1.2.3.4 to everybody else.
  const plain = host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host;
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/**
 * @param defaultPort taken where the text has none
 * @throws Error when `text` is no numeric address with a port in 0..65535
 */
export function parseAddress(text: string, defaultPort?: number): Endpoint {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  const host = found?.[1] ?? found?.[2] ?? '';
  const port = found?.[3] === undefined ? defaultPort : Number(found[3]);
  if (isIP(host) === 0 || port === undefined || port > 65_535) {
    throw new Error(`'${text}' is no address (ADDRESS:PORT, [ADDRESS]:PORT for IPv6)`);
  }
  return { host, port };
}

/**
 * Whether anything can be sent there: a port, and an address of one machine. IPv6's link-local addresses mean nothing
 * without the link, which an address on the wire does not name.
 */
export function isUsable({ host, port }: Endpoint): boolean {
  if (port === 0) return false;
  if (isIP(host) === 4) return isUsable4(host.split('.').map(Number));
  return isIP(host) === 6 && !host.includes('%') && isUsable6(toBytes(host));
}

/** `0.0.0.0` is usable: "where my datagram comes from". The rest of 0/8, multicast, reserved and broadcast are not. */
function isUsable4(bytes: ArrayLike<number>): boolean {
  const first = bytes[0] as number;
  return first < 224 && (first !== 0 || isZero(bytes, 0, 4));
}

/** Not multicast (ff00::/8), not link-local (fe80::/10); of IPv4 in IPv6 what is usable as IPv4. */
function isUsable6(bytes: ArrayLike<number>): boolean {
  const [first, second] = [bytes[0] as number, bytes[1] as number];
  if (first === 0xff || (first === 0xfe && (second & 0xc0) === 0x80)) return false;
  return !isMapped(bytes) || isUsable4(Array.from(bytes).slice(12));
}

function isMapped(bytes: ArrayLike<number>): boolean {
  return isZero(bytes, 0, 10) && bytes[10] === 0xff && bytes[11] === 0xff;
}

function isZero(bytes: ArrayLike<number>, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** The machine behind an address, whatever the port. */
export function hostOf(address: Address): string {
  return address.slice(0, address.lastIndexOf(':'));
}

export function isLoopback(address: Address): boolean {
  return address.startsWith('127.') || address.startsWith('[::1]');
}

export function isUnspecified(address: Address): boolean {
  return address.startsWith('0.0.0.0:') || address.startsWith('[::]:');
}

/** The same few addresses are written again and again, one with each record: so many are kept as they were written. */
const WRITTEN_LIMIT = 4096;
const written = new Map<Address, Uint8Array>();

/** @throws Error when it is no address */
function bytesOf(address: Address): Uint8Array {
  const known = written.get(address);
  if (known !== undefined) return known;
  const { host, port } = parseAddress(address);
  const bytes = toBytes(host);
  const made = Uint8Array.of(bytes.length === 4 ? 4 : 6, ...bytes, port >> 8, port & 255);
  if (written.size >= WRITTEN_LIMIT) written.clear();
  written.set(address, made);
  return made;
}

function toBytes(host: string): number[] {
  if (isIP(host) === 4) return host.split('.').map(Number);
  const canonical = new SocketAddress({ address: host, family: 'ipv6' }).address;
  const [head = '', tail] = canonical.split('::');
  const words = (part: string): number[] =>
    part === ''
      ? []
      : part.split(':').flatMap((word) => {
          if (!word.includes('.')) return [Number.parseInt(word, 16)];
          const [a = 0, b = 0, c = 0, d = 0] = word.split('.').map(Number);
          return [a * 256 + b, c * 256 + d];
        });
  const first = words(head);
  const last = tail === undefined ? [] : words(tail);
  const zeroes = new Array<number>(8 - first.length - last.length).fill(0);
  return [...first, ...zeroes, ...last].flatMap((word) => [word >> 8, word & 255]);
}

function toHost(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const words = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number)).toString(16),
  );
  return new SocketAddress({ address: words.join(':'), family: 'ipv6' }).address;
}

/** Family (4 or 6), then the address, then the port. What nothing can be sent to is not read. */
export const addressCodec: Codec<Address> = {
  sizeOf: (address) => (address.startsWith('[') ? 19 : 7),
  write(address, target, offset) {
    const bytes = bytesOf(address);
    if (offset + bytes.length > target.length) throw new CodecError('no room for an address');
    target.set(bytes, offset);
    return offset + bytes.length;
  },
  read(source, offset) {
    const [family, start] = u8.read(source, offset);
    if (family !== 4 && family !== 6) throw new CodecError(`unknown address family ${family}`);
    const end = start + (family === 4 ? 4 : 16);
    if (end > source.length) throw new CodecError('address cut short');
    const [port, next] = u16be.read(source, end);
    const bytes = source.subarray(start, end);
    if (port === 0) throw new CodecError('port 0');
    if (!(family === 4 ? isUsable4(bytes) : isUsable6(bytes))) throw new CodecError('no address of one machine');
    const host = family === 6 && isMapped(bytes) ? toHost(bytes.subarray(12)) : toHost(bytes);
    return [formatAddress(host, port), next];
  },
};
