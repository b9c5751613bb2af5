import type { Family } from './family.ts';

export const debian: Family = {
  name: 'debian',
  ids: ['debian', 'raspbian', 'devuan', 'kali'],
  marks: ['etc/debian_version'],
  kernels: ['/boot/vmlinuz-VERSION', '/boot/vmlinux-VERSION'],
  excludes: `
files  /var/lib/apt/lists                       # package lists
drop   /var/cache/apt/*.bin                     # caches
drop   /etc/apt/apt.conf.d/*proxy*              # the way to one network's package cache
drop   /var/lib/initramfs-tools                 # states of the installed system's boot
inside /var/lib/apt/periodic                    # what one machine did
inside /var/lib/unattended-upgrades             # what one machine did
`,
  services:
    'systemd, sysvinit, OpenRC or runit, whichever is there (src/root/installed/, src/runes/disable-service.ts)',
};
