import { definePlugin } from '../plugin.ts';

/** Mount points that are VIVER's business, or the kernel's: whoever made the image had them on a disk of that machine. */
const TAKEN = new Set(['/', '/boot', '/boot/efi', '/usr', '/dev', '/proc', '/sys', '/run']);
/** File systems of the network are as good here as there. */
const NETWORK = /^(nfs4?|cifs|smb3?|ceph|glusterfs|fuse\.sshfs|9p)$/;
/** Names that mean a disk of the machine the image was made on. */
const LOCAL_DISK = /^(\/dev\/|UUID=|LABEL=|PARTUUID=|PARTLABEL=|ID=)/;

export interface FstabChange {
  readonly text: string;
  /** Rows that were put out of action. */
  readonly dropped: readonly string[];
}

/**
 * /etc/fstab for a machine that is not the one the image was installed on: the root and what lay on that one's disks
 * become comments, the rest (tmpfs, bind mounts, the network) stays. Rows that say `nofail` or `noauto` harm nobody and
 * stay too. Pure.
 */
export function fstabFor(before: string): FstabChange {
  const dropped: string[] = [];
  const rows = before.split('\n').map((row) => {
    const [source = '', target = '', type = '', options = ''] = row.trim().split(/\s+/);
    if (source === '' || source.startsWith('#')) return row;
    const harmless = options.split(',').some((option) => option === 'nofail' || option === 'noauto');
    const local = LOCAL_DISK.test(source) && !NETWORK.test(type) && !harmless;
    if (!TAKEN.has(target) && !(local && type !== 'tmpfs')) return row;
    dropped.push(`${source} on ${target}`);
    return `# VIVER: ${row}`;
  });
  return { text: rows.join('\n'), dropped };
}

export default definePlugin({
  name: 'fstab',
  summary: 'no mounts of the disks that the image was once installed on',
  prepare(root) {
    const before = root.read('/etc/fstab');
    if (before === undefined) {
      root.write('/etc/fstab', "# The root is VIVER's overlay.\n");
      return;
    }
    const { text, dropped } = fstabFor(before);
    if (dropped.length === 0) return;
    root.write('/etc/fstab', text);
    root.note(`not mounted: ${dropped.join('; ')}`);
  },
});
