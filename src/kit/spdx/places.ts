/** Where a tree says what it is made of; paths without the first slash. */

/** The list that `viver image create` puts into an image. */
export const LIST_PLACE = 'usr/share/viver/image.spdx.json';
/** NAME/copyright in it, of Debian and its like. */
export const DOCUMENTATION = 'usr/share/doc';
/** A file of more is no licence text. */
export const COPYRIGHT_BYTES_LIMIT = 4 << 20;
/** os-release(5): the first that is a file. */
export const OS_RELEASES = ['etc/os-release', 'usr/lib/os-release'] as const;
export const OS_RELEASE_BYTES_LIMIT = 64 << 10;
/** Listed with their sums: what a machine serves to others that boot from it. */
export const BOOT_FILES = [
  'boot/vmlinuz',
  'boot/viverrd.zst',
  'boot/viver-net/first-stage.zst',
  'boot/viver-net/grubx64.efi',
  'boot/viver-net/shimx64.efi',
] as const;
/** A file of more is none of these. */
export const BOOT_FILE_BYTES_LIMIT = 1 << 30;
