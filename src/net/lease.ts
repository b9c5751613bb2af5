import { isIPv4 } from 'node:net';

export interface LeaseRoute {
  readonly destination: string;
  readonly prefixLength: number;
  /** `0.0.0.0`: on the link itself. */
  readonly gateway: string;
}

/** What a DHCP server gave. Its words are checked: addresses are IPv4 addresses, names are names. */
export interface Lease {
  readonly address: string;
  readonly prefixLength: number;
  readonly routers: readonly string[];
  /** Option 121; when it is there, routers do not count (RFC 3442). */
  readonly routes: readonly LeaseRoute[];
  readonly dns: readonly string[];
  readonly ntp: readonly string[];
  /** Domains to look names up in, the own one first. */
  readonly search: readonly string[];
  readonly hostname: string | undefined;
  readonly server: string | undefined;
  readonly seconds: number | undefined;
  readonly mtu: number | undefined;
  /** Everything under udhcpc's names, such as `bootfile`, `siaddr`, and `opt224` (hexadecimal) for what has none. */
  readonly options: Readonly<Record<string, string>>;
}

const HOST_NAME = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*$/;

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

function addresses(text: string | undefined): string[] {
  return words(text).filter(isIPv4);
}

function names(text: string | undefined): string[] {
  return words(text).filter((word) => HOST_NAME.test(word));
}

function wholeNumber(text: string | undefined, max: number): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= max ? Number(text) : undefined;
}

/** `10.0.0.0/8 192.168.1.1 0.0.0.0/0 192.168.1.2`: destinations and gateways by turns. */
function staticRoutes(text: string | undefined): LeaseRoute[] {
  const list = words(text);
  return list.flatMap((target, i) => {
    const [destination = '', length] = target.split('/');
    const prefixLength = wholeNumber(length, 32);
    const gateway = list[i + 1] ?? '';
    if (i % 2 === 1 || !isIPv4(destination) || prefixLength === undefined || !isIPv4(gateway)) return [];
    return { destination, prefixLength, gateway };
  });
}

/**
 * The lease in the variables that udhcpc gives its script (busybox, networking/udhcp/dhcpc.c).
 * @throws Error when there is no usable address in it; other options that make no sense are left out
 */
export function parseLease(options: Readonly<Record<string, string>>): Lease {
  const { ip, mask } = options;
  if (ip === undefined || !isIPv4(ip) || ip.startsWith('0.') || ip.startsWith('127.')) {
    throw new Error(`DHCP lease without a usable address: ${JSON.stringify(ip ?? '')}`);
  }
  const hostname = names(options.hostname)[0];
  const domains = [...names(options.domain), ...names(options.search)];
  return {
    address: ip,
    prefixLength: wholeNumber(mask, 32) ?? 24,
    routers: addresses(options.router),
    routes: staticRoutes(options.staticroutes),
    dns: addresses(options.dns),
    ntp: addresses(options.ntpsrv),
    search: [...new Set(domains)],
    hostname,
    server: addresses(options.serverid)[0],
    seconds: wholeNumber(options.lease, 2 ** 32 - 1),
    mtu: wholeNumber(options.mtu, 65535),
    options,
  };
}
