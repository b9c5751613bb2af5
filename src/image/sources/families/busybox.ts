import type { Family } from './family.ts';

/** A tree that is BusyBox and little else: no distribution, an inittab or scripts of its own. */
export const busybox: Family = {
  name: 'busybox',
  ids: ['buildroot', 'openwrt', 'tinycore'],
  marks: ['bin/busybox', 'linuxrc'],
  kernels: ['/boot/vmlinuz-VERSION', '/boot/vmlinuz', '/boot/bzImage', '/lib/modules/VERSION/vmlinuz'],
  excludes: '',
  services: "BusyBox init's inittab (src/runes/early-program.ts)",
};
