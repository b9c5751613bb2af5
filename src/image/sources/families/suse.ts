import type { Family } from './family.ts';

/** Its root is a btrfs with a subvolume for each of /var, /usr/local, /opt, /srv, /root …, and snapshots in /.snapshots. */
export const suse: Family = {
  name: 'suse',
  ids: ['opensuse', 'opensuse-leap', 'opensuse-tumbleweed', 'suse', 'sles', 'sled'],
  marks: ['etc/SuSE-release'],
  kernels: ['/boot/vmlinuz-VERSION', '/usr/lib/modules/VERSION/vmlinuz', '/lib/modules/VERSION/vmlinuz'],
  excludes: `
inside /var/cache/zypp                          # package lists
drop   /boot/initrd                             # initrds of the installed system
drop   /boot/initrd-*                           # initrds of the installed system
drop   /etc/zypp/credentials.d                  # a subscription of one machine
drop   /etc/SUSEConnect                         # a subscription of one machine
drop   /var/lib/zypp/AnonymousUniqueId          # machine id
`,
  services: 'systemd; wicked is told by src/runes/network-managers/',
};
