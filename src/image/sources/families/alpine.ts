import type { Family } from './family.ts';

/** musl and OpenRC. A kernel is named for its flavour, not its version. */
export const alpine: Family = {
  name: 'alpine',
  ids: ['alpine', 'postmarketos'],
  marks: ['etc/alpine-release'],
  kernels: ['/boot/vmlinuz-*'],
  excludes: `
inside /var/cache/apk                           # package lists
files  /etc/apk/cache                           # package lists
drop   /var/lib/apk/*.lock                      # caches
`,
  services: 'OpenRC (src/runes/disable-service.ts)',
};
