/**
 * Kinds of file systems that are never part of a tree by themselves. FUSE says `fuse.PROGRAM`; `fuseblk` is a disk.
 * Each with what a person is told.
 */
const KINDS: readonly { readonly why: string; readonly types: readonly string[] }[] = [
  {
    why: 'made by the kernel',
    types: [
      ...['proc', 'sysfs', 'devtmpfs', 'devpts', 'cgroup', 'cgroup2', 'cpuset', 'securityfs', 'debugfs', 'tracefs'],
      ...['configfs', 'fusectl', 'mqueue', 'hugetlbfs', 'pstore', 'bpf', 'efivarfs', 'binfmt_misc', 'selinuxfs'],
      ...['smackfs', 'nsfs', 'rpc_pipefs', 'nfsd', 'dlm', 'resctrl', 'functionfs', 'spufs', 'usbfs', 'openpromfs'],
      ...['xenfs', 'vboxguestfs', 'binder', 'fuse.lxcfs', 'fuse.portal', 'fuse.gvfsd-fuse'],
    ],
  },
  { why: 'in memory', types: ['tmpfs', 'ramfs', 'rootfs'] },
  { why: 'mounted when somebody looks', types: ['autofs'] },
  {
    why: 'on the network',
    types: [
      ...['nfs', 'nfs4', 'cifs', 'smb3', 'smbfs', 'ceph', '9p', 'afs', 'coda', 'ncpfs', 'lustre', 'gfs', 'gfs2'],
      ...['ocfs2', 'orangefs', 'pvfs2', 'virtiofs', 'davfs', 'glusterfs', 'beegfs', 'vboxsf', 'vmhgfs', 'prl_fs'],
    ],
  },
  { why: 'a medium that is only read', types: ['iso9660', 'udf', 'squashfs', 'erofs', 'cramfs', 'romfs'] },
  { why: 'put together of others', types: ['overlay', 'aufs', 'unionfs', 'ecryptfs', 'fuse.mergerfs', 'shiftfs'] },
];

/** Whose server may never answer: not even looked at. */
const WAITS = ['on the network', 'mounted when somebody looks', 'given by a program'];

export interface FileSystemKind {
  readonly why: string;
  /** Even a look at its root may wait for ever. */
  readonly mayHang: boolean;
  /** Nobody can want it in an image. */
  readonly pseudo: boolean;
}

/** What speaks against walking a file system of this type; undefined: it is one of a disk. */
export function kindOfFileSystem(type: string): FileSystemKind | undefined {
  const why =
    KINDS.find(({ types }) => types.includes(type))?.why ??
    (type === 'fuse' || type.startsWith('fuse.') ? 'given by a program' : undefined);
  if (why === undefined) return undefined;
  return { why, mayHang: WAITS.includes(why), pseudo: why === 'made by the kernel' || why === 'in memory' };
}
