import type { AddressRange, Network } from './interfaces.ts';
import { isOwnRange } from './private-range.ts';

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
  /** What iPXE is told to load. */
  readonly scriptUrl: string;
  readonly leaseFile: string;
  /** Machines that have an address of the range already, whoever gave it. */
  readonly reserved?: readonly { readonly mac: string; readonly address: string }[];
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

/** PXE client architectures, RFC 4578 section 2.1 and its errata: what a machine's firmware calls itself. */
const EFI64_ARCHITECTURES = [7, 9];
const EFI_HTTP_ARCHITECTURE = 16;

export function dhcpConfig(config: DhcpConfig): string {
  const { mode, network, range, bios, efi64, scriptUrl, leaseFile, reserved = [] } = config;
  const base = scriptUrl.replace(/\/[^/]*$/, '');
  const tags = [
    // iPXE says so by its own encapsulated options (https://ipxe.org/howto/dhcpd)
    'dhcp-match=set:ipxe,175',
    ...EFI64_ARCHITECTURES.map((number) => `dhcp-match=set:efi64,option:client-arch,${number}`),
    `dhcp-match=set:efihttp,option:client-arch,${EFI_HTTP_ARCHITECTURE}`,
  ];
  const boot = [
    // iPXE takes the answer beside another server's only with a next server in it (dhcp_has_pxeopts in its net/udp/dhcp.c)
    `dhcp-boot=tag:ipxe,${scriptUrl},,${network.address}`,
    `dhcp-boot=tag:!ipxe,tag:efi64,${efi64}`,
    `dhcp-boot=tag:!ipxe,tag:!efi64,tag:!efihttp,${bios}`,
    'dhcp-option-force=tag:efihttp,tag:!ipxe,60,HTTPClient',
    `dhcp-boot=tag:!ipxe,tag:efihttp,${base}/${efi64}`,
  ];
  const mark = `dhcp-option-force=${VIVER_OPTION},${VIVER_MARK}`;
  // wanted without leases too; by default in a directory that not every image has
  const leases = [`dhcp-leasefile=${leaseFile}`];
  if (mode === 'proxy') {
    const services = [
      `pxe-service=tag:!ipxe,X86PC,VIVER,${bios}`,
      ...['X86-64_EFI', 'BC_EFI'].map((architecture) => `pxe-service=tag:!ipxe,${architecture},VIVER,${efi64}`),
    ];
    const range = `dhcp-range=${network.address},proxy`;
    return lines([...common(network), range, ...leases, ...tags, ...boot, ...services, mark]);
  }
  return lines([
    ...common(network),
    `dhcp-range=${range.first},${range.last},${range.mask},1h`,
    // an address that the server before this one gave is given again
    'dhcp-authoritative',
    ...leases,
    ...reserved.map(({ mac, address }) => `dhcp-host=${mac},${address}`),
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

export function tftpConfig(network: Network, directory: string): string {
  return lines([
    ...common(network),
    `enable-tftp=${network.interfaceName}`,
    `tftp-root=${directory}`,
    // fifty machines switched on at once
    'tftp-max=256',
  ]);
}

function lines(list: readonly string[]): string {
  return `${list.join('\n')}\n`;
}
