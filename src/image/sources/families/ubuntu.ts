import { debian } from './debian.ts';
import type { Family } from './family.ts';

/** Its kernels are readable by root only; snaps are files in /var/lib/snapd/snaps, mounted below /snap. */
export const ubuntu: Family = {
  name: 'ubuntu',
  ids: ['ubuntu', 'linuxmint', 'pop', 'neon', 'elementary', 'zorin'],
  marks: ['etc/cloud/build.info', 'usr/share/doc/ubuntu-keyring'],
  kernels: debian.kernels,
  excludes: `${debian.excludes}
drop   /swap.img                                # swap
inside /var/lib/snapd/cache                     # caches
inside /var/snap/*/common/.cache                # caches
drop   /var/lib/ubuntu-advantage/private        # a subscription of one machine
inside /var/lib/cloud/instances                 # what cloud-init did on one machine
drop   /var/lib/cloud/instance                  # what cloud-init did on one machine
drop   /var/lib/cloud/data                      # what cloud-init did on one machine
drop   /etc/netplan/50-cloud-init.yaml          # network of one machine, by cloud-init
inside /var/lib/landscape/client                # a registration of one machine
`,
  services: 'systemd; cloud-init is switched off by src/runes/plugins/first-boot.ts',
};
