/** Where a tree of Debian says what it is made of; paths without the first slash. */
export const DPKG_STATUS = 'var/lib/dpkg/status';
/** NAME/copyright in it. */
export const DOCUMENTATION = 'usr/share/doc';
/** A file of more is no licence text. */
export const COPYRIGHT_BYTES_LIMIT = 4 << 20;
/** Listed with their sums. */
export const BOOT_FILES = ['boot/vmlinuz', 'boot/viverrd.zst'] as const;
