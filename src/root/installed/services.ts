/**
 * Services that act on disks or boards of the machine a system was installed on. On another one they fail, wait, or do
 * there what was meant for the first: import its pools, grow its partitions, set its fans.
 */
export interface ForeignService {
  /** Without a suffix: of systemd's unit, and of the script of other init systems. */
  readonly name: string;
  readonly why: string;
  /** What it works by. Once a person changed that on a machine whose writes are kept, the service is theirs and stays. */
  readonly by?: string;
}

const ZFS_CACHE = '/etc/zfs/zpool.cache';

export const FOREIGN_SERVICES: readonly ForeignService[] = [
  { name: 'zfs-import-cache', why: 'pools of another machine', by: ZFS_CACHE },
  { name: 'zfs-import-scan', why: "would import whatever pools this machine's disks have", by: ZFS_CACHE },
  { name: 'zfs-import', why: 'pools of another machine', by: ZFS_CACHE },
  { name: 'zfs-load-module', why: 'zfs is loaded when somebody uses it', by: ZFS_CACHE },
  { name: 'zfs-mount', why: 'data sets of another machine', by: ZFS_CACHE },
  { name: 'dphys-swapfile', why: 'a swap file cannot lie on an overlay' },
  { name: 'swapspace', why: 'a swap file cannot lie on an overlay' },
  { name: 'fancontrol', why: 'fans of another board', by: '/etc/fancontrol' },
  { name: 'thinkfan', why: 'fans of another board', by: '/etc/thinkfan.conf' },
  { name: 'systemd-repart', why: 'the root has no partition to grow' },
  { name: 'resize2fs_once', why: 'the root has no partition to grow' },
  { name: 'armbian-resize-filesystem', why: 'the root has no partition to grow' },
  { name: 'rpi-eeprom-update', why: 'firmware of another board' },
  // systemd 257: forgets where this machine's own system put itself to sleep, so that it would not wake up again.
  { name: 'systemd-hibernate-clear', why: "this machine's own system may sleep" },
];

/** Generators of units (systemd.generator(7)) for what only the other machine had; `by` as above, a directory. */
export const FOREIGN_GENERATORS: readonly ForeignService[] = [
  { name: 'zfs-mount-generator', why: 'data sets of another machine', by: '/etc/zfs/zfs-list.cache' },
];

/** What services learned of one machine's clock, screen and radios, and would set on another's: each file of a directory. */
export const HARDWARE_STATES: readonly { readonly directory: string; readonly name: RegExp; readonly why: string }[] = [
  { directory: '/var/lib/systemd/backlight', name: /./, why: 'the brightness of another screen' },
  { directory: '/var/lib/systemd/rfkill', name: /./, why: 'radios of another machine that are off' },
  { directory: '/var/lib/chrony', name: /^(chrony\.drift|.*\.dat)$/, why: 'the drift of another clock' },
  { directory: '/var/lib/ntp', name: /^ntp\.drift$/, why: 'the drift of another clock' },
  { directory: '/var/lib/ntpsec', name: /^ntp\.drift$/, why: 'the drift of another clock' },
];

/**
 * adjtime(5) without the drift that was measured on another machine's clock, which hwclock would add up over all the days
 * since; whether the clock is in UTC stays. Undefined: it says nothing else. Pure.
 */
export function adjtimeFor(before: string): string | undefined {
  const [first = '', last = '', zone = 'UTC'] = before.split('\n');
  const text = `0.0 0 0.0\n0\n${zone.trim() === 'LOCAL' ? 'LOCAL' : 'UTC'}\n`;
  return /^0(\.0*)? 0 0(\.0*)?$/.test(first.trim()) && last.trim() === '0' ? undefined : text;
}
