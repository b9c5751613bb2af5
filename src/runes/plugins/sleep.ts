import { definePlugin } from '../engine/plugin.ts';

/** What wakes up from a hibernation is looked for on a disk of the machine: there is none that is this system's. */
const NEVER = ['Hibernation', 'SuspendThenHibernate', 'HybridSleep'];

/** sleep.conf(5) of systemd, and of elogind, whose files have the same words. Pure. */
export function sleepConf(isOverNetwork: boolean): string {
  const why = isOverNetwork
    ? '# VIVER: the root lies behind a network card, which sleeps first and wakes last; nothing is kept over a power-off.\n'
    : '# VIVER: what is in RAM is gone at power-off; a hibernated machine would not be found again.\n';
  const rows = [...(isOverNetwork ? ['Suspend'] : []), ...NEVER].map((word) => `Allow${word}=no\n`);
  return `${why}[Sleep]\n${rows.join('')}`;
}

const PLACES = [
  {
    program: ['/lib/systemd/systemd-sleep', '/usr/lib/systemd/systemd-sleep'],
    path: '/run/systemd/sleep.conf.d/viver.conf',
  },
  {
    program: ['/lib/elogind/elogind', '/usr/lib/elogind/elogind', '/usr/libexec/elogind'],
    path: '/etc/elogind/sleep.conf.d/viver.conf',
  },
];

export default definePlugin({
  name: 'sleep',
  summary: 'no suspend where the root hangs on a network card, no hibernation anywhere',
  prepare(root) {
    const isOverNetwork = root.machine.booted === 'network';
    const places = PLACES.filter(({ program }) => program.some((path) => root.has(path)));
    for (const { path } of places) root.write(path, sleepConf(isOverNetwork));
    if (places.length > 0) root.note(isOverNetwork ? 'neither suspend nor hibernation' : 'no hibernation');
  },
});
