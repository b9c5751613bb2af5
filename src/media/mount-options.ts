import type { FileSystemType } from './file-system.ts';

interface MountRow {
  /** The kernel's name of the file system. */
  readonly type: string;
  /** Modules to have loaded: the kernel finds no modprobe in the initramfs to ask for what a mount needs. */
  readonly modules: readonly string[];
  /** Options besides `ro`, so that not a byte is written to a disk that is not ours. */
  readonly options: readonly string[];
}

/** How to look at a foreign file system without writing to it. */
export const READ_ONLY_MOUNTS: Readonly<Record<FileSystemType, MountRow>> = {
  squashfs: { type: 'squashfs', modules: ['squashfs'], options: [] },
  iso9660: { type: 'iso9660', modules: ['isofs'], options: [] },
  // ext4's driver reads ext2 and ext3 too; ro alone would still replay a dirty journal
  ext2: { type: 'ext4', modules: ['ext4'], options: ['noload'] },
  ext3: { type: 'ext4', modules: ['ext4'], options: ['noload'] },
  ext4: { type: 'ext4', modules: ['ext4'], options: ['noload'] },
  // nouuid: a cloned disk beside its original has the same UUID, which XFS refuses
  xfs: { type: 'xfs', modules: ['xfs'], options: ['norecovery', 'nouuid'] },
  btrfs: { type: 'btrfs', modules: ['btrfs'], options: ['rescue=nologreplay'] },
  // the character sets named, since the kernel's own defaults differ by how it was built; utf8 instead of
  // iocharset=utf8, which would make FAT's names case sensitive
  vfat: {
    type: 'vfat',
    modules: ['vfat', 'nls_cp437', 'nls_ascii'],
    options: ['codepage=437', 'iocharset=ascii', 'utf8'],
  },
  exfat: { type: 'exfat', modules: ['exfat'], options: ['iocharset=utf8'] },
  ntfs: { type: 'ntfs3', modules: ['ntfs3'], options: ['iocharset=utf8'] },
};
