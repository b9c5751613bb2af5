import { readLeaseFacts } from '../../net/lease-facts.ts';
import { definePlugin } from '../engine/plugin.ts';
import { wordOf } from '../machine.ts';
import type { NewRoot } from '../new-root.ts';
import { RUN_DIRECTORY } from '../places.ts';

/** Where each of these looks for servers of the moment beside its own configuration; the last that the image has is told, which replaces the first. */
const CLIENTS = [
  {
    name: 'systemd-timesyncd',
    program: '/usr/lib/systemd/systemd-timesyncd',
    path: '/run/systemd/timesyncd.conf.d/viver.conf',
    text: (ntp: readonly string[]) => `# VIVER: the time servers of this network\n[Time]\nNTP=${ntp.join(' ')}\n`,
  },
  {
    // Debian's chrony.conf: sourcedir /run/chrony-dhcp
    name: 'chrony',
    program: '/usr/sbin/chronyd',
    path: '/run/chrony-dhcp/viver.sources',
    text: (ntp: readonly string[]) => ntp.map((server) => `server ${server} iburst\n`).join(''),
  },
] as const;

/** Tells the image's time client the servers that the lease named. @returns who was told */
export function tellTimeServers(root: Pick<NewRoot, 'has' | 'write'>, ntp: readonly string[]): string | undefined {
  const client = ntp.length === 0 ? undefined : CLIENTS.findLast(({ program }) => root.has(program));
  if (client !== undefined) root.write(client.path, client.text(ntp));
  return client?.name;
}

const UTC = '/usr/share/zoneinfo/Etc/UTC';

export default definePlugin({
  name: 'time',
  summary: 'a time zone where the image has none, the hardware clock read as UTC, and the time servers of the network',
  prepare(root) {
    const asked = /^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/.exec(wordOf(root.machine.commandLine, 'TZ') ?? '')?.[0];
    const zone = asked === undefined ? undefined : `/usr/share/zoneinfo/${asked}`;
    if (zone !== undefined && root.has(zone)) {
      root.link('/etc/localtime', zone);
      root.write('/etc/timezone', `${asked}\n`);
      root.note(`time zone ${asked}`);
    } else if (!root.has('/etc/localtime') && root.has(UTC)) {
      root.link('/etc/localtime', UTC);
      root.note('time zone UTC: the image has none');
    }
    const { ntp } = readLeaseFacts(RUN_DIRECTORY);
    const told = tellTimeServers(root, ntp);
    if (told !== undefined) root.note(`${told}: time by ${ntp.join(' ')}, as the DHCP server says`);
    // "0.0 0 0.0 / 0 / UTC", hwclock(8): without it some images take the clock for local time
    if (!root.has('/etc/adjtime')) root.write('/etc/adjtime', '0.0 0 0.0\n0\nUTC\n');
  },
});
