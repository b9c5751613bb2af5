import { ipBytes, ipText, macBytes, macText } from './frame.ts';

/** DHCP (RFC 2131), as tests say it and hear it; options (RFC 2132) by number, as they are. */
export interface DhcpMessage {
  readonly operation: 'request' | 'reply';
  readonly transaction: number;
  readonly mac: string;
  /** The address given to the client. */
  readonly yourIp?: string;
  /** The server of the next step of the boot. */
  readonly nextServer?: string;
  readonly file?: string;
  readonly options: ReadonlyMap<number, Buffer>;
}

/** Option 53's values. */
export const DHCP_TYPES = { discover: 1, offer: 2, request: 3, decline: 4, ack: 5, nak: 6, release: 7, inform: 8 };
export type DhcpType = keyof typeof DHCP_TYPES;

export const OPTION = {
  mask: 1,
  router: 3,
  dns: 6,
  domain: 15,
  requestedIp: 50,
  leaseSeconds: 51,
  type: 53,
  server: 54,
  vendorClass: 60,
  bootFile: 67,
  userClass: 77,
  /** RFC 4578, 2.1 */
  architecture: 93,
} as const;

const FIXED_BYTES = 236;
const COOKIE = 0x63825363;
const BROADCAST_FLAG = 0x8000;
const END = 255;

export function encodeDhcp(message: DhcpMessage): Buffer {
  const fixed = Buffer.alloc(FIXED_BYTES + 4);
  fixed.set([message.operation === 'request' ? 1 : 2, 1, 6, 0]);
  fixed.writeUInt32BE(message.transaction, 4);
  fixed.writeUInt16BE(BROADCAST_FLAG, 10);
  if (message.yourIp !== undefined) ipBytes(message.yourIp).copy(fixed, 16);
  if (message.nextServer !== undefined) ipBytes(message.nextServer).copy(fixed, 20);
  macBytes(message.mac).copy(fixed, 28);
  fixed.write(message.file ?? '', 108, 127, 'latin1');
  fixed.writeUInt32BE(COOKIE, FIXED_BYTES);
  const options = [...message.options].map(([code, value]) =>
    Buffer.concat([Buffer.from([code, value.length]), value]),
  );
  return Buffer.concat([fixed, ...options, Buffer.from([END])]);
}

/** undefined: no DHCP, or cut short. */
export function decodeDhcp(bytes: Buffer): DhcpMessage | undefined {
  if (bytes.length < FIXED_BYTES + 4 || bytes.readUInt32BE(FIXED_BYTES) !== COOKIE) return undefined;
  const options = new Map<number, Buffer>();
  for (let at = FIXED_BYTES + 4; at < bytes.length && bytes[at] !== END; ) {
    const code = bytes.readUInt8(at++);
    if (code === 0) continue;
    const length = bytes[at++];
    if (length === undefined || at + length > bytes.length) return undefined;
    options.set(code, bytes.subarray(at, at + length));
    at += length;
  }
  const file = bytes.toString('latin1', 108, 236).replace(/\0.*$/s, '');
  return {
    operation: bytes[0] === 1 ? 'request' : 'reply',
    transaction: bytes.readUInt32BE(4),
    mac: macText(bytes.subarray(28, 34)),
    yourIp: ipText(bytes.subarray(16, 20)),
    nextServer: ipText(bytes.subarray(20, 24)),
    file,
    options,
  };
}

export function dhcpTypeOf(message: DhcpMessage): DhcpType | undefined {
  const value = message.options.get(OPTION.type)?.[0];
  return (Object.keys(DHCP_TYPES) as DhcpType[]).find((type) => DHCP_TYPES[type] === value);
}

/** iPXE's own options (https://ipxe.org/howto/dhcpd): by these a server tells it from another PXE ROM. */
const IPXE_OPTIONS = 175;

/** The same message as a PXE ROM that is not iPXE would send it. */
export function withoutIpxe(message: DhcpMessage): DhcpMessage {
  const options = [...message.options].filter(([code]) => code !== IPXE_OPTIONS && code !== OPTION.userClass);
  return { ...message, options: new Map(options) };
}
