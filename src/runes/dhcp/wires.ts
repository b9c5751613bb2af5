import type { Link } from '../../linux/netlink/rtnetlink.ts';
import { askDhcp } from '../../net/ask-dhcp.ts';

/** A machine with several wires serves one of them: which, and who gives addresses there. */

/** Words of `viver.serve=` that name no card. */
const NO_CARD: readonly string[] = ['all', 'none'];

/** Whether `viver.serve=` names this card, by its address or its name. */
export function isTold(serve: string | undefined, { name, mac }: Pick<Link, 'name' | 'mac'>): boolean {
  if (serve === undefined || NO_CARD.includes(serve)) return false;
  return serve === name || serve.toLowerCase() === mac.toLowerCase();
}

/**
 * The wire that a machine serves: the one it is told to, else one without a DHCP server, where nobody else does, else none
 * in particular: the one that it got its address on. Pure.
 * @param links those with a cable, in the order in which they are preferred
 * @param answered names of links on which a DHCP server answers
 */
export function wireToServe<L extends Pick<Link, 'name' | 'mac'>>(
  links: readonly L[],
  answered: ReadonlySet<string>,
  serve: string | undefined,
): L | undefined {
  const told = links.find((link) => isTold(serve, link));
  if (told !== undefined || links.length < 2) return told;
  return links.find(({ name }) => !answered.has(name));
}

/** Names of the links on which a DHCP server answers within this time. No address is taken. */
export async function linksWithServer(
  links: readonly Pick<Link, 'index' | 'mac' | 'name'>[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const asked = await Promise.all(
    links.map(async (link) => ({ link, offers: await askDhcp(link, { timeoutMs, signal }) })),
  );
  const given = ({ yourAddress }: { readonly yourAddress: string }) =>
    yourAddress !== '0.0.0.0' && !yourAddress.startsWith('169.254.');
  return new Set(asked.filter(({ offers }) => offers.some(given)).map(({ link }) => link.name));
}
