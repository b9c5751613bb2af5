import { readdirSync, readFileSync } from 'node:fs';
import type { Machine } from '../machine.ts';
import type { NewRoot } from '../new-root.ts';
import { definePlugin } from '../plugin.ts';

/**
 * The interface a root hangs on must not be touched by the image's own network set-up: taking it down for a second to
 * bring it up again means waiting for blocks that cannot come. A table of what the image may have, and what quietens it.
 */

/**
 * The MAC whose interface VIVER keeps: the one the machine was booted by. On a machine with a medium any wired one may
 * become the one it serves, which DHCP decides after the switch, and its driver may not even be loaded yet: undefined.
 */
export function keptMac({ bootMac, booted, macs }: Pick<Machine, 'bootMac' | 'booted' | 'macs'>): string | undefined {
  return bootMac ?? (booted === 'network' ? macs[0] : undefined);
}

const WHY = "# VIVER keeps these interfaces: the system's root or the machines it boots hang on them.\n";
const UNMANAGED_NM = (mac: string | undefined) =>
  `${WHY}[keyfile]\nunmanaged-devices=${mac === undefined ? 'type:ethernet' : `mac:${mac}`}\n`;
const UNMANAGED_NETWORKD = (mac: string | undefined) =>
  `${WHY}[Match]\n${mac === undefined ? 'Type=ether' : `MACAddress=${mac}`}\n\n[Link]\nUnmanaged=yes\n`;

const KEEP_DHCPCD = '# VIVER: interfaces of the root are kept by its own DHCP client\ndenyinterfaces';

/** /etc/network/interfaces without what would bring hardware interfaces up; `lo` and virtual ones stay. Pure. */
export function quietInterfaces(text: string): { readonly text: string; readonly dropped: readonly string[] } {
  const dropped: string[] = [];
  const isHardware = (name: string) => /^(eth|en|wl|usb)[a-z0-9]+/.test(name);
  let inDropped = false;
  const rows = text.split('\n').map((row) => {
    const [key = '', ...words] = row.trim().split(/\s+/);
    if (key === 'auto' || key.startsWith('allow-')) {
      inDropped = false;
      const kept = words.filter((word) => !isHardware(word));
      if (kept.length === words.length) return row;
      return kept.length === 0 ? `# VIVER: ${row}` : `${key} ${kept.join(' ')}`;
    }
    if (['iface', 'mapping', 'source', 'source-directory', 'no-auto-down'].includes(key)) {
      inDropped = key === 'iface' && isHardware(words[0] ?? '');
      if (inDropped) dropped.push(words[0] ?? '');
    }
    return inDropped && key !== '' && !key.startsWith('#') ? `# VIVER: ${row}` : row;
  });
  return { text: rows.join('\n'), dropped: [...new Set(dropped)] };
}

interface Quieting {
  readonly what: string;
  readonly isThere: (root: NewRoot) => boolean;
  readonly quieten: (root: NewRoot, mac: string | undefined) => void;
}

const anyOf =
  (...paths: readonly string[]) =>
  (root: NewRoot) =>
    paths.some((path) => root.has(path));

const QUIETINGS: readonly Quieting[] = [
  {
    what: 'NetworkManager',
    isThere: anyOf('/usr/sbin/NetworkManager', '/usr/bin/NetworkManager'),
    quieten: (root, mac) => root.write('/run/NetworkManager/conf.d/10-viver.conf', UNMANAGED_NM(mac)),
  },
  {
    what: 'systemd-networkd',
    isThere: anyOf('/lib/systemd/systemd-networkd', '/usr/lib/systemd/systemd-networkd'),
    quieten: (root, mac) => root.write('/run/systemd/network/00-viver.network', UNMANAGED_NETWORKD(mac)),
  },
  {
    what: 'ifupdown',
    isThere: anyOf('/etc/network/interfaces'),
    quieten: (root) => {
      const before = root.read('/etc/network/interfaces');
      const { text, dropped } = quietInterfaces(before ?? '');
      if (dropped.length > 0) root.write('/etc/network/interfaces', text);
    },
  },
  {
    what: 'dhcpcd',
    isThere: anyOf('/etc/dhcpcd.conf'),
    quieten: (root) => {
      const before = root.read('/etc/dhcpcd.conf') ?? '';
      if (!before.includes(KEEP_DHCPCD)) root.write('/etc/dhcpcd.conf', `${before}\n${KEEP_DHCPCD} en* eth*\n`);
    },
  },
  {
    // waits up to two minutes for interfaces that nobody of the image manages
    what: 'waiting for the network at boot',
    isThere: anyOf(
      '/lib/systemd/system/systemd-networkd-wait-online.service',
      '/lib/systemd/system/NetworkManager-wait-online.service',
    ),
    quieten: (root) => {
      if (root.init !== 'systemd') return;
      for (const name of ['systemd-networkd-wait-online', 'NetworkManager-wait-online'])
        root.link(`/run/systemd/system/${name}.service`, '/dev/null');
    },
  },
  {
    // udev renaming an interface that is up and carries the root
    what: 'interface names of the boot',
    isThere: anyOf('/lib/udev/rules.d', '/usr/lib/udev/rules.d'),
    quieten: (root, mac) => {
      const name = mac === undefined ? undefined : interfaceOf(mac);
      if (name === undefined) return;
      root.write(
        '/run/systemd/network/00-viver.link',
        `# VIVER: the root hangs on it, so it keeps its name.\n[Match]\nMACAddress=${mac}\n\n[Link]\nName=${name}\n`,
      );
    },
  },
];

function interfaceOf(mac: string): string | undefined {
  const directory = '/sys/class/net';
  return readdirSync(directory).find((name) => readFileSync(`${directory}/${name}/address`, 'utf8').trim() === mac);
}

export default definePlugin({
  name: 'network-quiet',
  summary: "the image's own network set-up leaves the boot interface alone",
  prepare(root) {
    const mac = keptMac(root.machine);
    const quietened = QUIETINGS.filter(({ isThere }) => isThere(root));
    for (const { quieten } of quietened) quieten(root, mac);
    if (quietened.length > 0) root.note(`left alone by: ${quietened.map(({ what }) => what).join(', ')}`);
  },
});
