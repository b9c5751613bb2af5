/**
 * What in a table of mounts means a disk of the machine a system was installed on. On another machine such a name leads to
 * nothing, and systemd waits 90 s for it; or, worse, to that machine's own disk.
 */

/** Tags of fstab(5): what they name is on a disk, wherever that disk is. */
const TAG = /^(UUID|LABEL|PARTUUID|PARTLABEL|ID)=/;
/** Devices that the kernel makes of RAM or of nothing, on every machine alike. */
const DEVICE_OF_ANY_MACHINE = /^\/dev\/(zram\d*|fuse|shm(\/.*)?|null|zero)$/;

/** File systems of the network are as good here as there. */
const NETWORK =
  /^(nfs4?|cifs|smb3?|smbfs|ceph|glusterfs|fuse\.(sshfs|glusterfs|ceph|rclone|s3fs|curlftpfs)|davfs|afs|9p)$/;
/** Whatever the source is called: disks' own names for themselves, and folders that the host of a virtual machine shares. */
const LOCAL_TYPE = /^(swap|zfs|ubifs|jffs2|virtiofs|vboxsf|fuse\.vmhgfs-fuse)$/;

/** A row of fstab, or the [Mount] or [Swap] section of a unit, its octal escapes decoded. */
export interface MountRow {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: readonly string[];
}

const optionOf = (options: readonly string[], name: string): string | undefined =>
  options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);

/** Whether it means a disk of one machine. */
export function isLocal({ source, type, options }: MountRow): boolean {
  if (DEVICE_OF_ANY_MACHINE.test(source)) return false;
  if (type === '9p') return /^(virtio|xen)$/.test(optionOf(options, 'trans') ?? '');
  if (NETWORK.test(type)) return false;
  return TAG.test(source) || source.startsWith('/dev/') || LOCAL_TYPE.test(type);
}

/** Whether nothing mounts it by itself: it is a person's word for later, as for a stick or a CD. */
export function isOnDemand({ options }: MountRow): boolean {
  const pulledIn = /^(x-systemd\.(automount|wanted-by=|required-by=)|comment=systemd\.automount)/;
  return options.includes('noauto') && !options.some((option) => pulledIn.test(option));
}

/** Directories and files that must be there for it, beside a device. */
export function pathsOf({ source, type, options }: MountRow): {
  readonly read: readonly string[];
  /** Where an overlay writes: never on another overlay (Documentation/filesystems/overlayfs.rst). */
  readonly written: readonly string[];
} {
  const paths = (text: string | undefined) => (text ?? '').split(':').filter((path) => path.startsWith('/'));
  if (type === 'overlay') {
    const written = [optionOf(options, 'upperdir'), optionOf(options, 'workdir')].flatMap(paths);
    return { read: paths(optionOf(options, 'lowerdir')), written };
  }
  if (source.startsWith('/dev/')) return { read: [], written: [] };
  // mergerfs: directories to merge, with colons between them and stars in their names
  const fixed = paths(source).map((path) => path.replace(/\/[^/]*[*?[{].*$/, ''));
  return { read: fixed.filter((path) => path !== ''), written: [] };
}
