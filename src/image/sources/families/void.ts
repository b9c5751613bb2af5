import type { Family } from './family.ts';

export const voidLinux: Family = {
  name: 'void',
  ids: ['void'],
  marks: ['usr/share/xbps.d'],
  kernels: ['/boot/vmlinuz-VERSION'],
  excludes: `
inside /var/cache/xbps                          # packages
`,
  services: 'runit (src/runes/disable-service.ts)',
};
