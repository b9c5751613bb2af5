import type { Link } from '../linux/netlink/rtnetlink.ts';
import { LINK_TYPE_ETHERNET } from '../linux/netlink/rtnetlink.ts';

/**
 * Whether a machine could boot by this link: Ethernet hardware, or what looks like it inside a container. Bridges,
 * bonds, tunnels and the like do not exist before someone sets them up.
 */
export function isUsable({ type, loopback, kind, mac }: Link): boolean {
  return type === LINK_TYPE_ETHERNET && !loopback && mac !== '' && (kind === undefined || kind === 'veth');
}

/** `BOOTIF=01-52-54-00-12-34-56`, as PXELINUX and iPXE put it on the kernel's command line: the link it came by. */
export function bootMacOf(commandLine: string): string | undefined {
  const match = /(?:^|\s)BOOTIF=(?:01-)?([0-9a-f]{2}(?:[-:][0-9a-f]{2}){5})(?:\s|$)/i.exec(commandLine);
  return match?.[1]?.toLowerCase().replaceAll('-', ':');
}

/**
 * The link a static address goes to: the one the machine was booted by, else the first with a carrier.
 * @param isVlan all of `links` are VLANs, chosen already
 */
export function chooseStatic(links: readonly Link[], bootMac: string | undefined, isVlan = false): Link | undefined {
  const usable = isVlan ? links : links.filter(isUsable);
  const boot = usable.find(({ mac }) => mac === bootMac);
  if (boot !== undefined) return boot.carrier ? boot : undefined;
  return usable.filter(({ carrier }) => carrier).sort((a, b) => a.index - b.index)[0];
}
