import { createHash } from 'node:crypto';
import { isIPv4 } from 'node:net';
import type { AddressRange, Network } from '../engine/interfaces.ts';

export interface Subnet {
  readonly address: string;
  readonly prefixLength: number;
}

/**
 * Ranges of RFC 1918 that few networks use, tried in this order, so that machines which all found an empty wire by
 * themselves end up in one network.
 */
const CANDIDATES: readonly Subnet[] = [
  { address: '10.86.0.0', prefixLength: 16 },
  { address: '172.27.0.0', prefixLength: 16 },
  { address: '10.213.0.0', prefixLength: 16 },
  { address: '192.168.186.0', prefixLength: 24 },
];

/** In a range of one's own the first addresses are for machines that chose for themselves, the rest is given away. */
const SELF_CHOSEN = { 16: 1024, 24: 64 } as const;
/** dnsmasq refuses to look after more than a million; a boot network needs no more than this. */
const LARGEST_RANGE = 65_534;

export function toNumber(address: string): number {
  return address.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

export function toAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

function bounds({ address, prefixLength }: Subnet): { readonly start: number; readonly end: number } {
  const size = 2 ** (32 - prefixLength);
  const start = Math.floor(toNumber(address) / size) * size;
  return { start, end: start + size };
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  const [left, right] = [bounds(a), bounds(b)];
  return left.start < right.end && right.start < left.end;
}

/**
 * A private network that nothing on this machine uses, and an address in it that depends on the MAC alone. Pure.
 * @param used the machine's other networks and routes
 * @param attempt counts up while the address turns out to be taken
 */
export function choosePrivate(mac: string, used: readonly Subnet[], attempt = 0): Subnet {
  const [first] = CANDIDATES;
  const subnet = CANDIDATES.find((candidate) => !used.some((other) => overlaps(candidate, other))) ?? first;
  if (subnet === undefined) throw new Error('no private network to choose from');
  const room = subnet.prefixLength === 24 ? SELF_CHOSEN[24] : SELF_CHOSEN[16];
  const hash = createHash('sha256').update(`${mac} ${attempt}`).digest().readUInt32BE(0);
  return { address: toAddress(bounds(subnet).start + 1 + (hash % (room - 1))), prefixLength: subnet.prefixLength };
}

export function maskOf(prefixLength: number): string {
  return toAddress(2 ** 32 - 2 ** (32 - prefixLength));
}

/**
 * Whether a machine with that address cannot be boot server of a network: it still has an address of VIVER's own, and the
 * network has others by now. Its clients could not reach it, so nobody may wait for it to serve.
 */
export function isStranded(address: string, network: Subnet): boolean {
  if (isOwnRange(network) || !isIPv4(address)) return false;
  return CANDIDATES.some((candidate) => overlaps(candidate, { address, prefixLength: 32 }));
}

/**
 * Whether a server of VIVER's gives addresses of another network than the one that this machine chose for itself. One of
 * the two must go to the other: who chose goes to who was told, and of two that chose the one with the higher address.
 * @param offer what the server would give; `0.0.0.0`: nothing
 */
export function leadsElsewhere(offer: { readonly server: string; readonly yourAddress: string }, own: Subnet): boolean {
  const given = { address: offer.yourAddress, prefixLength: 32 };
  if (offer.yourAddress === '0.0.0.0' || overlaps(own, given)) return false;
  const isChosen = CANDIDATES.some((candidate) => overlaps(candidate, given));
  return !isChosen || toNumber(offer.server) < toNumber(own.address);
}

/** Whether the address is in one of the ranges VIVER takes on an empty network. */
export function isOwnRange({ address, prefixLength }: Subnet): boolean {
  const { start } = bounds({ address, prefixLength });
  return CANDIDATES.some((candidate) => candidate.prefixLength === prefixLength && bounds(candidate).start === start);
}

/** What a DHCP server gives in this network: in a chosen one all but the part for those that choose; else all hosts. */
export function dhcpRange({
  address,
  prefixLength,
  origin,
}: Pick<Network, 'address' | 'prefixLength' | 'origin'>): AddressRange {
  const { start, end } = bounds({ address, prefixLength });
  const ours = isOwnRange({ address, prefixLength });
  const room = prefixLength === 24 ? SELF_CHOSEN[24] : SELF_CHOSEN[16];
  const first = ours && origin !== 'static' ? start + room : start + 1;
  const last = Math.min(end - 2, first + LARGEST_RANGE);
  return { first: toAddress(first), last: toAddress(Math.max(first, last)), mask: maskOf(prefixLength) };
}
