import { isIPv4 } from 'node:net';
import type { Lease } from './lease.ts';

export interface PlannedRoute {
  readonly destination: string;
  readonly prefixLength: number;
  readonly gateway?: string;
}

/** How an interface is to be set up, wherever it was learnt from. */
export interface AddressPlan {
  readonly address: string;
  readonly prefixLength: number;
  /** In the order in which they can be added. */
  readonly routes: readonly PlannedRoute[];
  readonly dns: readonly string[];
  readonly search: readonly string[];
  /** Bytes of the largest packet; undefined: what the card has by itself. */
  readonly mtu?: number;
}

/** `viver.ip=`: by DHCP, or an address of one's own. */
export type IpSetting = 'dhcp' | AddressPlan;

function toNumber(address: string): number {
  return address.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

function sameNetwork(a: string, b: string, prefixLength: number): boolean {
  const size = 2 ** (32 - prefixLength);
  return Math.floor(toNumber(a) / size) === Math.floor(toNumber(b) / size);
}

/** A gateway outside the own network (a /32 lease, as clouds give) is reached by a route of its own. */
function routesBy(route: Required<PlannedRoute>, address: string, prefixLength: number): PlannedRoute[] {
  if (sameNetwork(address, route.gateway, prefixLength)) return [route];
  return [{ destination: route.gateway, prefixLength: 32 }, route];
}

function defaultRoute(gateway: string): Required<PlannedRoute> {
  return { destination: '0.0.0.0', prefixLength: 0, gateway };
}

/** The network part of an address: `10.1.2.3/24` lies in `10.1.2.0`. */
function networkOf(address: string, prefixLength: number): string {
  const number = toNumber(address);
  const network = number - (number % 2 ** (32 - prefixLength));
  return [24, 16, 8, 0].map((shift) => Math.floor(network / 2 ** shift) % 256).join('.');
}

/** Every host takes a packet of so many bytes (RFC 791); a server that says less is wrong, and others pass it over too. */
const LEAST_MTU = 576;

export function planLease(lease: Lease): AddressPlan {
  const { address, prefixLength, routers, dns, search, mtu } = lease;
  const gateways = lease.routes.map((route) => ({
    ...route,
    destination: networkOf(route.destination, route.prefixLength),
  }));
  // Routes on the link first: others' gateways may lie there.
  const onLink = gateways.flatMap(({ destination, prefixLength: length, gateway }) =>
    gateway === '0.0.0.0' ? { destination, prefixLength: length } : [],
  );
  const byGateway = gateways.filter(({ gateway }) => gateway !== '0.0.0.0');
  const all = lease.routes.length > 0 ? byGateway : routers.slice(0, 1).map(defaultRoute);
  const routes = [...onLink, ...all.flatMap((route) => routesBy(route, address, prefixLength))];
  const isUsable = mtu !== undefined && mtu >= LEAST_MTU;
  return { address, prefixLength, routes, dns, search, ...(isUsable ? { mtu } : {}) };
}

/**
 * `dhcp`, or `ADDR/LEN[,gateway]` (IPv4).
 * @throws Error that says what is wrong with it
 */
export function parseIpSetting(text: string): IpSetting {
  if (text === 'dhcp') return 'dhcp';
  const match = /^([^/,]+)\/(\d{1,2})(?:,([^,]+))?$/.exec(text);
  const [, address = '', length = '', gateway] = match ?? [];
  const prefixLength = Number(length);
  if (match === null || !isIPv4(address) || prefixLength > 32 || (gateway !== undefined && !isIPv4(gateway))) {
    throw new Error(`viver.ip=${text}: wants dhcp or ADDR/LEN[,gateway] with IPv4 addresses`);
  }
  const routes = gateway === undefined ? [] : routesBy(defaultRoute(gateway), address, prefixLength);
  return { address, prefixLength, routes, dns: [], search: [] };
}

/** The text of /etc/resolv.conf; undefined when nothing is known that belongs there. */
export function resolvConf({ dns, search }: Pick<AddressPlan, 'dns' | 'search'>): string | undefined {
  if (dns.length === 0) return undefined;
  const lines = [
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...dns.map((server) => `nameserver ${server}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** The servers and domains that such a text names; the last `search` or `domain` row counts (resolv.conf(5)). */
export function parseResolvConf(text: string): Pick<AddressPlan, 'dns' | 'search'> {
  const rows = text.split('\n').map((row) => row.trim().split(/\s+/));
  const dns = rows.flatMap(([key, value = '']) => (key === 'nameserver' && isIPv4(value) ? [value] : []));
  const [, ...search] = rows.findLast(([key]) => key === 'search' || key === 'domain') ?? [];
  return { dns, search };
}
