/** Links, addresses and routes, rtnetlink(7). IPv4, which is what machines boot by. */
import { bytes, decode, encode, i32le, mapped, padding, struct, u8, u16le, u32le } from '../../codec/struct.ts';
import { listenNetlink, NetlinkChannel } from './netlink-channel.ts';
import { AttributeReader, attribute, encodeAttributes, type NetlinkMessage, NLM_F } from './netlink-message.ts';
import { NETLINK } from './netlink-socket.ts';

/** include/uapi/linux/rtnetlink.h */
const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
} as const;
const RTNLGRP_LINK = 1;
const AF_INET = 2;

/** include/uapi/linux/if.h, if_arp.h, if_link.h */
const IFF = { UP: 1, LOOPBACK: 8 } as const;
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, LINK: 5, OPERSTATE: 16, LINKINFO: 18, CARRIER: 33 } as const;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_VLAN_ID = 1;
/** ARPHRD_ETHER: what DHCP and PXE are made for. */
export const LINK_TYPE_ETHERNET = 1;
const OPERSTATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'] as const;

/** include/uapi/linux/if_addr.h */
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4 } as const;

const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6 } as const;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;
const RT_SCOPE = { UNIVERSE: 0, LINK: 253 } as const;

const ifinfomsg = struct('ifinfomsg', [
  ['family', u8],
  ['pad', padding(1)],
  ['type', u16le],
  ['index', i32le],
  ['flags', u32le],
  ['change', u32le],
]);

const ifaddrmsg = struct('ifaddrmsg', [
  ['family', u8],
  ['prefixLength', u8],
  ['flags', u8],
  ['scope', u8],
  ['index', u32le],
]);

const rtmsg = struct('rtmsg', [
  ['family', u8],
  ['prefixLength', u8],
  ['sourceLength', u8],
  ['tos', u8],
  ['table', u8],
  ['protocol', u8],
  ['scope', u8],
  ['type', u8],
  ['flags', u32le],
]);

/** `192.168.1.2` */
export const ipv4 = mapped(
  bytes(4),
  (raw) => raw.join('.'),
  (text) => {
    const parts = text.split('.');
    if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) {
      throw new TypeError(`${JSON.stringify(text)} is not an IPv4 address`);
    }
    return Uint8Array.from(parts.map(Number));
  },
);

export interface Link {
  readonly index: number;
  readonly name: string;
  /** ARPHRD_…, include/uapi/linux/if_arp.h: LINK_TYPE_ETHERNET. */
  readonly type: number;
  /** `52:54:00:12:34:56`; empty when it has none. */
  readonly mac: string;
  readonly mtu: number;
  /** Switched on by us. */
  readonly up: boolean;
  readonly loopback: boolean;
  /** The other end is there. Not known before the link is up. */
  readonly carrier: boolean;
  /** RFC 2863; may lag a second behind carrier (net/core/link_watch.c). */
  readonly operstate: (typeof OPERSTATES)[number];
  /** `veth`, `bridge`, `vlan` …; undefined for hardware. */
  readonly kind: string | undefined;
}

export interface Address {
  readonly linkIndex: number;
  readonly address: string;
  readonly prefixLength: number;
}

export interface Route {
  readonly linkIndex: number;
  /** `0.0.0.0` with prefixLength 0 is the default route. */
  readonly destination: string;
  readonly prefixLength: number;
  /** None for what is on the link itself. */
  readonly gateway?: string;
  /** The lowest wins. Default 0. */
  readonly metric?: number;
}

/** What an RTM_NEWLINK or RTM_DELLINK message tells. */
export function decodeLink(payload: Uint8Array): Link {
  const [{ type, index, flags }, start] = ifinfomsg.read(payload, 0);
  const attributes = new AttributeReader(payload.subarray(start));
  const mac = attributes.bytes(IFLA.ADDRESS) ?? new Uint8Array();
  return {
    index,
    name: attributes.text(IFLA.IFNAME) ?? '',
    type,
    mac: Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':'),
    mtu: attributes.u32(IFLA.MTU) ?? 0,
    up: (flags & IFF.UP) !== 0,
    loopback: (flags & IFF.LOOPBACK) !== 0,
    carrier: attributes.u8(IFLA.CARRIER) === 1,
    operstate: OPERSTATES[attributes.u8(IFLA.OPERSTATE) ?? 0] ?? 'unknown',
    kind: attributes.nested(IFLA.LINKINFO)?.text(IFLA_INFO_KIND),
  };
}

function decodeAddress(payload: Uint8Array): Address[] {
  const [{ family, prefixLength, index }, start] = ifaddrmsg.read(payload, 0);
  const attributes = new AttributeReader(payload.subarray(start));
  // On point-to-point links ADDRESS is the other end's.
  const address = attributes.bytes(IFA.LOCAL) ?? attributes.bytes(IFA.ADDRESS);
  if (family !== AF_INET || address === undefined) return [];
  return [{ linkIndex: index, address: decode(ipv4, address), prefixLength }];
}

function decodeRoute(payload: Uint8Array): Route[] {
  const [{ family, prefixLength, table, type }, start] = rtmsg.read(payload, 0);
  const attributes = new AttributeReader(payload.subarray(start));
  const linkIndex = attributes.u32(RTA.OIF);
  if (family !== AF_INET || table !== RT_TABLE_MAIN || type !== RTN_UNICAST || linkIndex === undefined) return [];
  const destination = attributes.bytes(RTA.DST);
  const gateway = attributes.bytes(RTA.GATEWAY);
  return [
    {
      linkIndex,
      destination: destination === undefined ? '0.0.0.0' : decode(ipv4, destination),
      prefixLength,
      ...(gateway === undefined ? {} : { gateway: decode(ipv4, gateway) }),
      metric: attributes.u32(RTA.PRIORITY) ?? 0,
    },
  ];
}

function linkHeader(index: number, flags: number, change: number): Uint8Array {
  return encode(ifinfomsg, { family: 0, type: 0, index, flags, change });
}

function encodeAddress({ linkIndex, address, prefixLength }: Address): Uint8Array {
  const value = encode(ipv4, address);
  const hostBits = prefixLength < 31 ? 2 ** (32 - prefixLength) - 1 : 0;
  const broadcast = value.map((byte, i) => byte | ((hostBits >>> (24 - 8 * i)) & 0xff));
  return Buffer.concat([
    encode(ifaddrmsg, { family: AF_INET, prefixLength, flags: 0, scope: 0, index: linkIndex }),
    encodeAttributes([
      attribute.bytes(IFA.LOCAL, value),
      attribute.bytes(IFA.ADDRESS, value),
      ...(hostBits === 0 ? [] : [attribute.bytes(IFA.BROADCAST, broadcast)]),
    ]),
  ]);
}

function encodeRoute({ linkIndex, destination, prefixLength, gateway, metric = 0 }: Route): Uint8Array {
  return Buffer.concat([
    encode(rtmsg, {
      family: AF_INET,
      prefixLength,
      sourceLength: 0,
      tos: 0,
      table: RT_TABLE_MAIN,
      protocol: RTPROT_BOOT,
      scope: gateway === undefined ? RT_SCOPE.LINK : RT_SCOPE.UNIVERSE,
      type: RTN_UNICAST,
      flags: 0,
    }),
    encodeAttributes([
      ...(prefixLength === 0 ? [] : [attribute.bytes(RTA.DST, encode(ipv4, destination))]),
      ...(gateway === undefined ? [] : [attribute.bytes(RTA.GATEWAY, encode(ipv4, gateway))]),
      attribute.u32(RTA.OIF, linkIndex),
      attribute.u32(RTA.PRIORITY, metric),
    ]),
  ]);
}

export interface LinkListener {
  /** A link is new or has changed. */
  readonly onLink: (link: Link) => void;
  readonly onGone: (link: Link) => void;
  /** Changes were lost: list the links anew. */
  readonly onOverrun: () => void;
  readonly onError: (error: Error) => void;
}

/**
 * Hears the changes of links from now on, until `signal` aborts. Does not keep the process alive.
 * List the links only after this call, and nothing is missed.
 */
export function watchLinks(listener: LinkListener, signal: AbortSignal): void {
  const onMessage = ({ type, payload }: NetlinkMessage) => {
    if (type === RTM.NEWLINK) listener.onLink(decodeLink(payload));
    else if (type === RTM.DELLINK) listener.onGone(decodeLink(payload));
  };
  listenNetlink(NETLINK.ROUTE, [RTNLGRP_LINK], { ...listener, onMessage }, signal);
}

/** Changes and lists the network configuration of the namespace this process is in. Errors are SyscallErrors. */
export class Rtnetlink {
  readonly #channel = new NetlinkChannel(NETLINK.ROUTE);

  async links(): Promise<Link[]> {
    const payload = linkHeader(0, 0, 0);
    const replies = await this.#channel.dump({ op: 'RTM_GETLINK', target: 'all links', type: RTM.GETLINK, payload });
    return replies.map((reply) => decodeLink(reply.payload));
  }

  async setUp(link: Pick<Link, 'index' | 'name'>, up: boolean): Promise<void> {
    const payload = linkHeader(link.index, up ? IFF.UP : 0, IFF.UP);
    await this.#channel.request({ op: `set ${up ? 'up' : 'down'}`, target: link.name, type: RTM.NEWLINK, payload });
  }

  /**
   * Makes a VLAN (IEEE 802.1Q) of a card. The kernel's module 8021q must be there.
   * @throws SyscallError: EEXIST for one that is there already, EOPNOTSUPP without the module
   */
  async addVlan(card: Pick<Link, 'index' | 'name'>, name: string, id: number): Promise<void> {
    const data = attribute.nested(IFLA_INFO_DATA, [attribute.u16(IFLA_VLAN_ID, id)]);
    const payload = Buffer.concat([
      linkHeader(0, 0, 0),
      encodeAttributes([
        attribute.u32(IFLA.LINK, card.index),
        attribute.text(IFLA.IFNAME, name),
        attribute.nested(IFLA.LINKINFO, [attribute.text(IFLA_INFO_KIND, 'vlan'), data]),
      ]),
    ]);
    const flags = NLM_F.CREATE | NLM_F.EXCLUSIVE;
    await this.#channel.request({ op: `add VLAN ${id}`, target: card.name, type: RTM.NEWLINK, flags, payload });
  }

  async deleteLink(link: Pick<Link, 'index' | 'name'>): Promise<void> {
    const payload = linkHeader(link.index, 0, 0);
    await this.#channel.request({ op: 'delete', target: link.name, type: RTM.DELLINK, payload });
  }

  /** @throws SyscallError: EINVAL for what the card cannot */
  async setMtu(link: Pick<Link, 'index' | 'name'>, mtu: number): Promise<void> {
    const payload = Buffer.concat([linkHeader(link.index, 0, 0), encodeAttributes([attribute.u32(IFLA.MTU, mtu)])]);
    await this.#channel.request({ op: `set mtu ${mtu}`, target: link.name, type: RTM.NEWLINK, payload });
  }

  async addresses(): Promise<Address[]> {
    const payload = encode(ifaddrmsg, { family: AF_INET, prefixLength: 0, flags: 0, scope: 0, index: 0 });
    const request = { op: 'RTM_GETADDR', target: 'all addresses', type: RTM.GETADDR, payload };
    return (await this.#channel.dump(request)).flatMap((reply) => decodeAddress(reply.payload));
  }

  /** Adding what is there already changes nothing. */
  async addAddress(address: Address): Promise<void> {
    await this.#channel.request({
      op: 'add address',
      target: `${address.address}/${address.prefixLength} on link ${address.linkIndex}`,
      type: RTM.NEWADDR,
      flags: NLM_F.CREATE | NLM_F.REPLACE,
      payload: encodeAddress(address),
    });
  }

  async deleteAddress(address: Address): Promise<void> {
    await this.#channel.request({
      op: 'delete address',
      target: `${address.address}/${address.prefixLength} on link ${address.linkIndex}`,
      type: RTM.DELADDR,
      payload: encodeAddress(address),
    });
  }

  /** The unicast routes of the main table. */
  async routes(): Promise<Route[]> {
    const payload = encode(rtmsg, {
      family: AF_INET,
      prefixLength: 0,
      sourceLength: 0,
      tos: 0,
      table: 0,
      protocol: 0,
      scope: 0,
      type: 0,
      flags: 0,
    });
    const request = { op: 'RTM_GETROUTE', target: 'all routes', type: RTM.GETROUTE, payload };
    return (await this.#channel.dump(request)).flatMap((reply) => decodeRoute(reply.payload));
  }

  /** Replaces a route to the same destination with the same metric. */
  async addRoute(route: Route): Promise<void> {
    await this.#channel.request({
      op: 'add route',
      target: `${route.destination}/${route.prefixLength} by ${route.gateway ?? `link ${route.linkIndex}`}`,
      type: RTM.NEWROUTE,
      flags: NLM_F.CREATE | NLM_F.REPLACE,
      payload: encodeRoute(route),
    });
  }

  async deleteRoute(route: Route): Promise<void> {
    await this.#channel.request({
      op: 'delete route',
      target: `${route.destination}/${route.prefixLength} by ${route.gateway ?? `link ${route.linkIndex}`}`,
      type: RTM.DELROUTE,
      payload: encodeRoute(route),
    });
  }

  close(): void {
    this.#channel.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
