import type { KeptLink } from './kept-links.ts';

/** What each network manager is told, as texts. Pure. `kept`: the links that are VIVER's; none where the root lies on a medium. */

const WHY = '# VIVER keeps these interfaces: the root of this system hangs on them.\n';

/**
 * NetworkManager.conf(5). The section [device] is above what the image's own files say of `unmanaged-devices`. Where the
 * wire is left to NetworkManager, it goes on asking for an address: VIVER takes one by itself on a wire without a DHCP
 * server, and to give up would take that one away.
 */
export function networkManagerConf(kept: readonly KeptLink[]): string {
  if (kept.length === 0)
    return '# VIVER: on a wire without a DHCP server the machine has an address of its own meanwhile.\n[connection-viver]\nmatch-device=type:ethernet\nipv4.dhcp-timeout=2147483647\n';
  const match = kept.flatMap(({ name, mac }) => [`interface-name:=${name}`, `mac:${mac}`]);
  const cards = kept.map(({ name }) => `interface-name:=${name}`);
  // by the MAC too, should somebody rename it; VLANs and bridges above have the same MAC and are no harm
  return `${WHY}[keyfile]\nunmanaged-devices+=${match.join(';')}\n\n[device-viver]\nmatch-device=${cards.join(';')}\nmanaged=0\n`;
}

/** systemd.network(5): the first file that fits counts, so its name begins before all others'. */
export const NETWORKD_PREFIX = '/run/systemd/network/!viver';

export function networkdUnmanaged(kept: readonly KeptLink[]): string {
  const match = kept.length === 0 ? 'Type=ether\nKind=!*' : `Name=${kept.map(({ name }) => name).join(' ')}`;
  return `${WHY}[Match]\n${match}\n\n[Link]\nUnmanaged=yes\n`;
}

/** systemd.link(5): udev must not rename an interface that is up and carries the root; nor set anything of it. */
export function keptName({ name, mac }: KeptLink): string {
  return `${WHY}[Match]\nOriginalName=${name}\nMACAddress=${mac}\n\n[Link]\nName=${name}\n`;
}

/** dhcpcd.conf(5): before the first `interface` or `ssid` block, which would take the line in. */
export function dhcpcdConf(before: string, kept: readonly KeptLink[]): string {
  const mark = '# VIVER: kept by a DHCP client of its own';
  const old = before.split('\n');
  const rest = old[0] === mark ? old.slice(2) : old;
  const names = kept.length === 0 ? ['en*', 'eth*'] : kept.map(({ name }) => name);
  return [mark, `denyinterfaces ${names.join(' ')}`, ...rest].join('\n');
}

/** connman.conf(5): names that begin so. ConnMan's own list counts only where there is none. */
export function connmanConf(before: string, kept: readonly KeptLink[]): string {
  if (kept.length === 0) return before;
  const names = kept.map(({ name }) => name);
  const rows = before.split('\n');
  const at = rows.findIndex((row) => /^\s*NetworkInterfaceBlacklist\s*=/.test(row));
  const list = (rows[at]?.split('=')[1] ?? 'vmnet,vboxnet,virbr,ifb,ve-,vb-,ham,veth').split(/[,\s]+/).filter(Boolean);
  const row = `NetworkInterfaceBlacklist=${[...new Set([...list, ...names])].join(',')}`;
  if (at >= 0) return rows.with(at, row).join('\n');
  const general = rows.findIndex((one) => one.trim() === '[General]');
  if (general >= 0) return [...rows.slice(0, general + 1), row, ...rows.slice(general + 1)].join('\n');
  return [...rows.filter((one) => one !== ''), '[General]', row, ''].join('\n');
}

/** One shell-like file per interface: SUSE's wicked (ifcfg(5)) and Red Hat's network scripts. */
export function ifcfg(before: string, words: Readonly<Record<string, string>>): string {
  const keys = Object.keys(words);
  const rest = before.split('\n').filter((row) => !keys.some((key) => row.startsWith(`${key}=`)));
  return [...Object.entries(words).map(([key, value]) => `${key}='${value}'`), ...rest].join('\n');
}

/** Whether such a file makes a bridge, bond or team of one of these. */
export function ifcfgTakesIn(text: string, kept: readonly KeptLink[]): boolean {
  return text.split('\n').some((row) => {
    const [, value = ''] =
      /^(?:BRIDGE_PORTS|BONDING_SLAVE\w*|TEAM_PORT_DEVICE\w*|OVS_BRIDGE_PORT\w*)=(.*)$/.exec(row) ?? [];
    const words = value.replace(/["']/g, '').split(/\s+/);
    return kept.some(({ name }) => words.includes(name));
  });
}

/** /etc/default/networking: what `ifup -a` and `ifdown -a` leave out, whichever file names it. */
export function excluded(before: string, kept: readonly KeptLink[]): string {
  const rows = before.split('\n').filter((row) => row !== '');
  const isOurs = (row: string) => row.startsWith('EXCLUDE_INTERFACES=');
  const old = (rows.findLast(isOurs)?.split('=')[1] ?? '').replace(/["']/g, '').split(/\s+/).filter(Boolean);
  const all = [...new Set([...old, ...kept.map(({ name }) => name)])];
  return [...rows.filter((row) => !isOurs(row)), `EXCLUDE_INTERFACES="${all.join(' ')}"`, ''].join('\n');
}
