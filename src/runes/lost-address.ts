import type { Address, Link } from '../linux/netlink/rtnetlink.ts';
import type { Network } from './engine/interfaces.ts';

/**
 * Why all that was built on a network has to be built anew: its address is gone, or its card has another name. Servers
 * and questions are bound to the name, and Linux 6.2 and later let udev change it while the card is up. undefined: all is
 * as it was. Pure.
 */
export function lossOf(
  { address, interfaceName }: Pick<Network, 'address' | 'interfaceName'>,
  addresses: readonly Address[],
  links: readonly Pick<Link, 'index' | 'name'>[],
): string | undefined {
  const own = addresses.filter((one) => one.address === address);
  if (own.length === 0) return `${address} is gone from ${interfaceName}`;
  if (links.some(({ name }) => name === interfaceName)) return undefined;
  const now = links.find(({ index }) => own.some(({ linkIndex }) => linkIndex === index));
  return now === undefined ? `${interfaceName} is gone` : `${interfaceName} is called ${now.name} now`;
}
