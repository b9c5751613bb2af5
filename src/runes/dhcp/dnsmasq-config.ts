import { isIPv4 } from 'node:net';
import type { AddressRange, Network } from '../engine/interfaces.ts';
import { isOwnRange, maskOf, overlaps, type Subnet } from './private-range.ts';

/**
 * dnsmasq's configuration, dnsmasq(8). DHCP and TFTP run as two processes: boot loaders can be had from every machine,
 * addresses only from the one that was elected.
 */

/** Sent with every answer, so that VIVER machines know one of their own (a site-specific option, RFC 3942). */
export const VIVER_OPTION = 224;
export const VIVER_MARK = 'viver';

export interface DhcpConfig {
  readonly mode: 'full' | 'proxy';
  readonly network: Network;
  readonly range: AddressRange;
  /** Paths by TFTP. */
  readonly bios: string;
  readonly efi64: string;
  /**
   * For UEFI x64 that refuses `efi64`, where this server gives the address: shim and GRUB read its answer, and no other
   * server's beside it. Undefined: there is none.
   */
  readonly secure64?: string;
  /** What iPXE is told to load. */
  readonly scriptUrl: string;
  readonly leaseFile: string;
  /** Where files lie that say which machines are VIVER's own (machinesFile); dnsmasq reads them anew when they change. */
  readonly machines?: string;
  /** Routers that hand on questions of other subnets. */
  readonly relays?: readonly string[];
  /** Every DHCP client is answered, not network boot clients and own machines only: `viver.serve=all`. */
  readonly everybody?: boolean;
}

/** No DNS, one interface, and the log to standard error, where the plugin reads it. */
function common({ interfaceName }: Network): string[] {
  return [
    'port=0',
    `interface=${interfaceName}`,
    'except-interface=lo',
    'bind-interfaces',
    'log-facility=-',
    // the image's own files about names and servers are none of its business
    'no-hosts',
    'no-resolv',
  ];
}

/**
 * What a machine's firmware calls itself, option 93: RFC 4578 section 2.1, its errata, and IANA's registry "Processor
 * Architecture Types". A number that is not here is not answered: no loader is better than a wrong one.
 */
const ARCHITECTURES: readonly { readonly tag: string; readonly numbers: readonly number[] }[] = [
  { tag: 'bios', numbers: [0] },
  { tag: 'efi64', numbers: [7, 9] },
  { tag: 'efihttp', numbers: [16] },
];

/** A Raspberry Pi's firmware calls itself a BIOS (0): the vendor parts of its addresses. */
const RASPBERRY_PI = ['28:cd:c1', '2c:cf:67', '88:a2:9e', 'b8:27:eb', 'd8:3a:dd', 'dc:a6:32', 'e4:5f:01'];

/**
 * First, do no harm: who is neither a network boot client nor one of VIVER's machines is never answered, in any way
 * (dhcp-ignore also keeps dnsmasq from refusing a lease), and firmware that no loader is for is not either.
 */
function answered(everybody: boolean): string[] {
  return [
    'dhcp-vendorclass=set:boot,PXEClient',
    'dhcp-vendorclass=set:boot,HTTPClient',
    'dhcp-vendorclass=set:boot,viver',
    'dhcp-vendorclass=set:viver,viver',
    'dhcp-userclass=set:boot,iPXE',
    // iPXE says so by its own encapsulated options too (https://ipxe.org/howto/dhcpd)
    'dhcp-match=set:boot,175',
    'dhcp-match=set:ipxe,175',
    'dhcp-match=set:boot,option:client-arch',
    'dhcp-match=set:firmware,option:client-arch',
    ...ARCHITECTURES.flatMap(({ tag, numbers }) =>
      numbers.map((number) => `dhcp-match=set:${tag},option:client-arch,${number}`),
    ),
    ...RASPBERRY_PI.map((vendor) => `dhcp-mac=set:pi,${vendor}:*:*:*`),
    ...(everybody ? [] : ['dhcp-ignore=tag:!boot,tag:!own']),
    `dhcp-ignore=tag:firmware,${ARCHITECTURES.map(({ tag }) => `tag:!${tag}`).join(',')}`,
    'dhcp-ignore=tag:firmware,tag:pi',
  ];
}

/** A firmware's lease: it is done in a minute, and an address given by mistake is free again soon. */
const FIRMWARE_LEASE = '5m';
/** Of machines whose root may hang on it. */
const MACHINE_LEASE = '1h';

/**
 * VIVER's own machines: each keeps its address, whoever gave it, and is answered whatever asks on it.
 * @param secure MACs of machines that get a signed loader
 */
export function machinesFile(
  machines: readonly { readonly mac: string; readonly address: string }[],
  secure: ReadonlySet<string> = new Set(),
): string {
  const known = new Set(machines.map(({ mac }) => mac));
  const tags = (mac: string) => `set:own${secure.has(mac) ? ',set:secure' : ''}`;
  const rows = machines.map(({ mac, address }) => `${mac},${tags(mac)},${address},${MACHINE_LEASE}\n`);
  return [...rows, ...[...secure].filter((mac) => !known.has(mac)).map((mac) => `${mac},set:secure\n`)].join('');
}

/** The longest lease that another server of VIVER's may have given. */
const KNOWN_LEASE_S = 3600;

/**
 * The lease file (dnsmasq's own: expiry, MAC, address, name, client identifier) with the machines in it whose leases the
 * server before this one gave: they renew them here. `dhcp-authoritative` would let them too, and would refuse every
 * client that takes another server's offer.
 */
export function leasesWith(
  leases: string,
  machines: readonly { readonly mac: string; readonly address: string }[],
  nowSeconds: number,
): string {
  const rows = leases.split('\n').filter((row) => /^\d+ [0-9a-f:]{17} [\d.]+ \S+ \S+$/.test(row));
  const known = new Set(rows.flatMap((row) => row.split(' ').slice(1, 3)));
  const added = machines.filter(({ mac, address }) => !known.has(mac) && !known.has(address));
  const expiry = Math.floor(nowSeconds) + KNOWN_LEASE_S;
  return [...rows, ...added.map(({ mac, address }) => `${expiry} ${mac} ${address} * *`), ''].join('\n');
}

export function dhcpConfig(config: DhcpConfig): string {
  const {
    mode,
    network,
    range,
    bios,
    efi64,
    secure64,
    scriptUrl,
    leaseFile,
    machines,
    relays = [],
    everybody = false,
  } = config;
  const base = scriptUrl.replace(/\/[^/]*$/, '');
  // What clients say of themselves is in the log then: why one is not answered (firmware-refusals.ts).
  const tags = [...answered(everybody), 'log-dhcp'];
  const boot = [
    // iPXE takes the answer beside another server's only with a next server in it (dhcp_has_pxeopts in its net/udp/dhcp.c)
    `dhcp-boot=tag:ipxe,${scriptUrl},,${network.address}`,
    ...(mode === 'full' && secure64 !== undefined
      ? [`dhcp-boot=tag:!ipxe,tag:efi64,tag:secure,${secure64}`, `dhcp-boot=tag:!ipxe,tag:efi64,tag:!secure,${efi64}`]
      : [`dhcp-boot=tag:!ipxe,tag:efi64,${efi64}`]),
    `dhcp-boot=tag:!ipxe,tag:!efi64,tag:!efihttp,${bios}`,
    'dhcp-option-force=tag:efihttp,tag:!ipxe,60,HTTPClient',
    `dhcp-boot=tag:!ipxe,tag:efihttp,${base}/${efi64}`,
  ];
  const mark = `dhcp-option-force=${VIVER_OPTION},${VIVER_MARK}`;
  // wanted without leases too; by default in a directory that not every image has
  const leases = [`dhcp-leasefile=${leaseFile}`];
  const services = (tags: string) => [
    `pxe-service=${tags}tag:!ipxe,X86PC,VIVER,${bios}`,
    ...['X86-64_EFI', 'BC_EFI'].map((architecture) => `pxe-service=${tags}tag:!ipxe,${architecture},VIVER,${efi64}`),
  ];
  // Who boots by HTTP calls itself so, and takes no answer of a server that calls itself otherwise.
  const beside = ['dhcp-pxe-vendor=PXEClient,HTTPClient'];
  const others = relaySubnets(relays, network).map(
    ({ address, prefixLength }) => `dhcp-range=set:relayed,${address},proxy,${maskOf(prefixLength)}`,
  );
  if (mode === 'proxy') {
    const range = `dhcp-range=${network.address},proxy`;
    // Beside another server dnsmasq sends nothing but what firmware knows: the mark is among PXE's own options there.
    const inside = `dhcp-option-force=vendor:PXEClient,${VIVER_OPTION},${VIVER_MARK}`;
    const answers = [...tags, ...boot, ...services(''), inside];
    return lines([...common(network), ...beside, range, ...others, ...leases, ...answers]);
  }
  const addresses = `${range.first},${range.last},${range.mask}`;
  return lines([
    ...common(network),
    // In a subnet that it knows no address of, it helps firmware only.
    ...(others.length === 0 ? [] : [...beside, ...others, ...services('tag:relayed,')]),
    ...(['tag:viver', 'tag:own'] as const).map((tag) => `dhcp-range=${tag},${addresses},${MACHINE_LEASE}`),
    `dhcp-range=tag:!viver,tag:!own,${addresses},${everybody ? MACHINE_LEASE : FIRMWARE_LEASE}`,
    // of somebody, though of no machine of VIVER's: an identifier that no client has keeps them from being given
    ...takenBy(network).map((address) => `dhcp-host=id:viver-taken-${address},${address}`),
    ...(machines === undefined ? [] : [`dhcp-hostsdir=${machines}`]),
    ...leases,
    // In a range of VIVER's own nobody but its machines has an address, and theirs are known: no pinging for three
    // seconds before each offer.
    ...(isOwnRange(network) ? ['no-ping'] : []),
    // names that clients send go nowhere
    'dhcp-ignore-names',
    network.gateway === undefined ? 'dhcp-option=3' : `dhcp-option=3,${network.gateway}`,
    network.dns.length === 0 ? 'dhcp-option=6' : `dhcp-option=6,${network.dns.join(',')}`,
    ...tags,
    ...boot,
    // no-pxedhcp (https://ipxe.org/howto/dhcpd): no two seconds' wait for a server beside this one
    'dhcp-option=tag:ipxe,encap:175,176,1b',
    mark,
  ]);
}

/**
 * The subnets that relays stand for, by their addresses alone: as large as they can be beside the own one, since firmware
 * asks the second time by itself, from the address that it got.
 */
export function relaySubnets(relays: readonly string[], own: Subnet): readonly Subnet[] {
  const subnets: Subnet[] = [];
  for (const address of relays) {
    const relay = { address, prefixLength: 32 };
    if (!isIPv4(address) || overlaps(relay, own) || subnets.some((subnet) => overlaps(subnet, relay))) continue;
    let prefixLength = LARGEST_RELAYED;
    while (prefixLength < 32 && overlaps({ address, prefixLength }, own)) prefixLength++;
    subnets.push({ address, prefixLength });
  }
  return subnets;
}

const LARGEST_RELAYED = 16;

/** The gateway's and the name servers' addresses. */
function takenBy({ gateway, dns }: Network): readonly string[] {
  return [...new Set([...(gateway === undefined ? [] : [gateway]), ...dns])].filter((address) => isIPv4(address));
}

export function tftpConfig(network: Network, directory: string): string {
  return lines([
    ...common(network),
    `enable-tftp=${network.interfaceName}`,
    `tftp-root=${directory}`,
    // Blocks that pass wherever IPv6 would (RFC 8200): loaders are small, and who loads them cannot ask for smaller ones.
    'tftp-mtu=1280',
    // fifty machines switched on at once
    'tftp-max=256',
  ]);
}

function lines(list: readonly string[]): string {
  return `${list.join('\n')}\n`;
}
