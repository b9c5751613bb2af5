import type { Family } from './family.ts';

/** The kernel lies with its modules and is copied to /boot. Files carry SELinux labels, which are kept. */
export const fedora: Family = {
  name: 'fedora',
  ids: ['fedora', 'rhel', 'centos', 'rocky', 'almalinux', 'ol', 'amzn', 'mageia', 'openmandriva'],
  marks: ['etc/fedora-release', 'etc/redhat-release'],
  kernels: ['/lib/modules/VERSION/vmlinuz', '/usr/lib/modules/VERSION/vmlinuz', '/boot/vmlinuz-VERSION'],
  excludes: `
inside /var/cache/dnf                           # package lists
inside /var/cache/libdnf5                       # package lists
inside /var/cache/yum                           # package lists
drop   /boot/vmlinuz-0-rescue-*                 # the installed system's rescue entry
drop   /boot/loader/entries/*.conf              # boot entries, by machine id
drop   /etc/sysconfig/network-scripts/ifcfg-*   # network of one machine
inside /var/lib/dnf/history                     # what one machine did
inside /var/lib/rhsm                            # a subscription of one machine
drop   /etc/pki/consumer                        # a subscription of one machine
drop   /etc/pki/entitlement                     # a subscription of one machine
`,
  services: 'systemd; SELinux policy is loaded by /init (docs/systems.md)',
};
