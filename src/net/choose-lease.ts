import type { Lease } from './lease.ts';

/**
 * Which lease a machine takes that has several cards. Pure. The card that it was booted by leads to the machines that
 * booted it; another one may lead to an office whose server only answers sooner.
 */

/** What is known of the card that booted the machine. */
export interface BootCard {
  /** Its driver is loaded. */
  readonly isThere: boolean;
  /** It has a link. */
  readonly carrier: boolean;
}

/** A driver that is slow to come, and a link over copper after that: two or three seconds each. */
const NO_LINK_MS = 10_000;
/** A switch port forwards after 30 s (IEEE 802.1D: twice the forward delay of 15 s); a server answers in a few more. */
const NO_ANSWER_MS = 45_000;

/** How long a lease of another card waits for the boot card's own, counted from the start of the asking. */
export function patienceMs({ isThere, carrier }: BootCard): number {
  return isThere && carrier ? NO_ANSWER_MS : NO_LINK_MS;
}

/**
 * Why a lease is never taken; undefined: it may be. A link-local one (RFC 3927) leads to no other machine: the network
 * card that a board's management controller shows on USB gets such a one, from a DHCP server in the controller.
 */
export function refusalOf({ address, server }: Pick<Lease, 'address' | 'server'>): string | undefined {
  if (!address.startsWith('169.254.')) return undefined;
  return `the lease ${address}${server === undefined ? '' : ` of ${server}`} is link-local and leads nowhere`;
}
