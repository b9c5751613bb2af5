import type { Family } from './family.ts';

/** A kernel is named for its package (linux, linux-lts), not its version; it lies with its modules as well. */
export const arch: Family = {
  name: 'arch',
  ids: ['arch', 'archarm', 'manjaro', 'endeavouros', 'artix', 'cachyos'],
  marks: ['etc/arch-release'],
  kernels: ['/usr/lib/modules/VERSION/vmlinuz', '/boot/vmlinuz-*'],
  excludes: `
inside /var/cache/pacman/pkg                    # packages
drop   /var/lib/pacman/db.lck                   # caches
inside /etc/pacman.d/gnupg/private-keys-v1.d    # a key of one machine: pacman-key --init makes one
drop   /boot/loader/entries                     # boot entries of one machine
`,
  services: 'systemd; of Artix OpenRC or runit',
};
