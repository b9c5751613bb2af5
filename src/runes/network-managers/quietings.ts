import { join } from 'node:path';
import type { NewRoot } from '../new-root.ts';
import { quietIfupdown } from './ifupdown.ts';
import { INTERFACES, readIfupdownFiles } from './ifupdown-files.ts';
import type { KeptLink } from './kept-links.ts';
import * as say from './settings.ts';

/** A network manager that an image may have, and how it is made to leave VIVER's links alone. */
export interface Quieting {
  readonly what: string;
  readonly isThere: (root: NewRoot) => boolean;
  readonly quieten: (root: NewRoot, kept: readonly KeptLink[]) => void;
}

const anyOf =
  (...paths: readonly string[]) =>
  (root: NewRoot) =>
    paths.some((path) => root.has(path));

const namesOf = (kept: readonly KeptLink[]) => kept.map(({ name }) => name);

/** Writes only what changes: each write copies the file up. */
function rewrite(root: NewRoot, path: string, change: (before: string) => string): void {
  const before = root.read(path) ?? '';
  const after = change(before);
  if (after !== before) root.write(path, after);
}

/** A directory of ifcfg-NAME files; `off`: the words that make one of no account. */
function quietIfcfg(directory: string, off: Readonly<Record<string, string>>): Quieting['quieten'] {
  return (root, kept) => {
    for (const file of root.names(directory)) {
      const name = /^ifcfg-([\w.-]+)$/.exec(file)?.[1];
      const path = join(directory, file);
      const text = root.read(path) ?? '';
      if (name === undefined || !(namesOf(kept).includes(name) || say.ifcfgTakesIn(text, kept))) continue;
      root.write(path, say.ifcfg(text, off));
    }
  };
}

const WAITS = [
  'systemd-networkd-wait-online',
  'NetworkManager-wait-online',
  'ifupdown-wait-online',
  'connman-wait-online',
].map((name) => `${name}.service`);
const UNITS = ['/lib/systemd/system', '/usr/lib/systemd/system', '/etc/systemd/system'];

/** A disk that keeps what is written may have been another machine's: what is written says all of this boot. */
export const QUIETINGS: readonly Quieting[] = [
  {
    what: 'NetworkManager',
    isThere: anyOf('/usr/sbin/NetworkManager', '/usr/bin/NetworkManager'),
    // not below /run: what the image's own files say is read later and would be above it
    quieten: (root, kept) => root.write('/etc/NetworkManager/conf.d/zz-viver.conf', say.networkManagerConf(kept)),
  },
  {
    // netplan writes networkd's files, or NetworkManager's
    what: 'systemd-networkd',
    isThere: anyOf('/lib/systemd/systemd-networkd', '/usr/lib/systemd/systemd-networkd'),
    quieten: (root, kept) => root.write(`${say.NETWORKD_PREFIX}.network`, say.networkdUnmanaged(kept)),
  },
  {
    what: 'ifupdown',
    isThere: anyOf(INTERFACES),
    quieten: (root, kept) => {
      const hotplug = anyOf('/lib/udev/ifupdown-hotplug', '/usr/lib/udev/ifupdown-hotplug')(root);
      const wish = { kept: namesOf(kept), ownDhcp: kept.length === 0, hotplug };
      const { files } = quietIfupdown(readIfupdownFiles(root), wish);
      for (const { path, text } of files) root.write(path, text);
      if (kept.length === 0) return;
      // for what a file that is only made later may say (/run/network/interfaces.d)
      rewrite(root, '/etc/default/networking', (before) => say.excluded(before, kept));
    },
  },
  {
    what: 'dhcpcd',
    isThere: anyOf('/etc/dhcpcd.conf'),
    quieten: (root, kept) => rewrite(root, '/etc/dhcpcd.conf', (before) => say.dhcpcdConf(before, kept)),
  },
  {
    what: 'connman',
    isThere: anyOf('/usr/sbin/connmand', '/usr/bin/connmand'),
    quieten: (root, kept) => rewrite(root, '/etc/connman/main.conf', (before) => say.connmanConf(before, kept)),
  },
  {
    what: 'wicked',
    isThere: anyOf('/etc/sysconfig/network'),
    quieten: quietIfcfg('/etc/sysconfig/network', { STARTMODE: 'off' }),
  },
  {
    what: 'network scripts',
    isThere: anyOf('/etc/sysconfig/network-scripts'),
    quieten: quietIfcfg('/etc/sysconfig/network-scripts', { ONBOOT: 'no', NM_CONTROLLED: 'no' }),
  },
  {
    what: 'netifrc',
    isThere: anyOf('/etc/init.d/net.lo'),
    quieten: (root, kept) => {
      for (const level of root.names('/etc/runlevels'))
        for (const name of namesOf(kept)) root.remove(`/etc/runlevels/${level}/net.${name}`);
    },
  },
  {
    // sysvinit's last step takes every interface down, its own program still on the root (halt(8), -i)
    what: 'halt',
    isThere: anyOf('/etc/default/halt', '/etc/init.d/halt'),
    quieten: (root, kept) => {
      if (kept.length === 0) return;
      rewrite(root, '/etc/default/halt', (before) => {
        const rest = before.split('\n').filter((row) => row !== '' && !row.startsWith('NETDOWN='));
        return [...rest, 'NETDOWN=no', ''].join('\n');
      });
    },
  },
  {
    // waits up to two minutes for interfaces that nobody of the image manages
    what: 'waiting for the network at boot',
    isThere: (root) =>
      root.init === 'systemd' && WAITS.some((name) => UNITS.some((directory) => root.has(`${directory}/${name}`))),
    quieten: (root) => {
      for (const name of WAITS) root.link(`/run/systemd/system/${name}`, '/dev/null');
    },
  },
  {
    what: 'interface names of the boot',
    isThere: anyOf('/lib/udev/rules.d', '/usr/lib/udev/rules.d'),
    quieten: (root, kept) => {
      for (const link of kept) root.write(`${say.NETWORKD_PREFIX}-${link.name}.link`, say.keptName(link));
    },
  },
];
