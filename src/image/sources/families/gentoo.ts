import type { Family } from './family.ts';

export const gentoo: Family = {
  name: 'gentoo',
  ids: ['gentoo'],
  marks: ['etc/gentoo-release'],
  kernels: ['/boot/vmlinuz-VERSION', '/boot/kernel-VERSION', '/boot/vmlinuz'],
  excludes: `
inside /var/tmp/portage                         # caches
inside /var/cache/distfiles                     # packages
inside /var/cache/binpkgs                       # packages
`,
  services: 'OpenRC or systemd',
};
