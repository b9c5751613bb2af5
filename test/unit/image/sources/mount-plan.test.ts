import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MountWishes, planMounts } from '../../../../src/image/sources/tree/mount-plan.ts';
import { parseMountinfo } from '../../../../src/linux/mount.ts';

/** An installed Debian with a desktop, LUKS, a stick, a share, snaps and containers. */
const SYSTEM = `
21 28 0:19 / /sys rw,nosuid - sysfs sysfs rw
22 28 0:20 / /proc rw - proc proc rw
23 28 0:5 / /dev rw - devtmpfs udev rw
24 23 0:21 / /dev/pts rw - devpts devpts rw
25 28 0:22 / /run rw - tmpfs tmpfs rw
28 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw
29 28 259:2 / /boot rw - ext2 /dev/nvme0n1p2 rw
30 29 259:1 / /boot/efi rw - vfat /dev/nvme0n1p1 rw
31 28 253:1 / /home rw - ext4 /dev/mapper/vg-home rw
32 28 253:2 / /var rw - ext4 /dev/mapper/vg-var rw
33 32 253:3 / /var/log rw - ext4 /dev/mapper/vg-log rw
34 28 8:17 / /media/me/STICK rw - vfat /dev/sdb1 rw
35 28 0:50 / /mnt/share rw - nfs4 server:/x rw
36 32 0:51 / /var/lib/docker/overlay2/abc/merged rw - overlay overlay rw
37 28 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
38 28 253:1 /me/projects /srv/projects rw - ext4 /dev/mapper/vg-home rw
39 28 253:0 / /mnt/root-again rw - ext4 /dev/mapper/vg-root rw
40 28 0:60 / /tmp rw - tmpfs tmpfs rw
41 31 0:61 / /home/me/.gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw
42 28 8:33 / /opt/card rw - ext4 /dev/sdc1 rw
43 28 253:0 /usr /usr ro - ext4 /dev/mapper/vg-root rw
44 28 8:49 / /mnt/data\\040disk rw - ext4 /dev/sdd1 rw
`;

const wishes = (more: Partial<MountWishes> = {}): MountWishes => ({
  root: '/',
  isSystem: true,
  crossAll: false,
  asked: [],
  isRemovable: (major, minor) => major === 8 && (minor === 17 || minor === 33),
  ...more,
});

const plan = (text: string, more?: Partial<MountWishes>) => planMounts(parseMountinfo(text), wishes(more));
const entered = (text: string, more?: Partial<MountWishes>): string[] =>
  plan(text, more)
    .filter(({ kind }) => kind === 'enter')
    .map(({ path }) => path)
    .sort();
const left = (text: string, more?: Partial<MountWishes>) =>
  Object.fromEntries(
    plan(text, more).flatMap(({ kind, path, why, pseudo }) => (kind === 'leave' && !pseudo ? [[path, why]] : [])),
  );

describe('of the running system', () => {
  test('the file systems of its own directories are taken, all others left out and named', () => {
    expect(entered(SYSTEM)).toEqual(['boot', 'boot/efi', 'var', 'var/log']);
    expect(left(SYSTEM)).toEqual({
      home: 'ext4, not part of the system; --with takes it along',
      'media/me/STICK': 'vfat, removable',
      'mnt/share': 'nfs4, on the network',
      'mnt/root-again': 'ext4, a directory that lies elsewhere (bind mount)',
      'mnt/data disk': 'ext4, not part of the system; --with takes it along',
      'opt/card': 'ext4, removable',
      'snap/core/1': 'squashfs, a medium that is only read',
      'srv/projects': 'ext4, a directory that lies elsewhere (bind mount)',
      'var/lib/docker/overlay2/abc/merged': 'overlay, put together of others',
    });
  });

  test('what is asked for is taken, with what is mounted in it but what the kernel makes', () => {
    expect(entered(SYSTEM, { asked: ['/home'] })).toEqual(['boot', 'boot/efi', 'home', 'var', 'var/log']);
    expect(entered(SYSTEM, { asked: ['media/me/STICK/', '/mnt/share'] })).toContain('media/me/STICK');
    expect(entered(SYSTEM, { asked: ['/proc'] })).not.toContain('proc');
  });

  test('what may never answer is marked, so that nobody looks at it', () => {
    expect(
      plan(SYSTEM)
        .filter(({ mayHang }) => mayHang)
        .map(({ path }) => path),
    ).toEqual(['mnt/share']);
  });

  test('subvolumes of a btrfs are taken like partitions, and a directory of one that is mounted elsewhere is not', () => {
    const text = `
30 1 0:30 /@ / rw - btrfs /dev/sda2 rw,subvolid=256,subvol=/@
31 30 0:30 /@var /var rw - btrfs /dev/sda2 rw,subvolid=257,subvol=/@var
32 30 0:30 /@home /home rw - btrfs /dev/sda2 rw,subvolid=258,subvol=/@home
33 30 0:30 /@snapshots /.snapshots rw - btrfs /dev/sda2 rw,subvolid=259,subvol=/@snapshots
34 30 0:30 / /mnt/all rw - btrfs /dev/sda2 rw,subvolid=5,subvol=/
35 30 0:30 /@home/me/www /var/www rw - btrfs /dev/sda2 rw,subvolid=258,subvol=/@home
`;
    expect(entered(text)).toEqual(['var']);
    expect(Object.keys(left(text)).sort()).toEqual(['.snapshots', 'home', 'mnt/all', 'var/www']);
  });
});

describe('of a directory', () => {
  test('one file system is taken unless more is asked for', () => {
    const text = `${SYSTEM}
50 28 8:65 / /srv/tree/boot rw - ext4 /dev/sde1 rw
51 28 0:70 / /srv/tree/proc rw - proc proc rw
52 28 253:0 /etc /srv/tree/etc rw - ext4 /dev/mapper/vg-root rw`;
    const tree = { root: '/srv/tree', isSystem: false };
    expect(entered(text, tree)).toEqual([]);
    expect(left(text, tree)).toEqual({
      boot: 'ext4, another file system; --cross or --with takes it along',
      etc: 'ext4, a directory that lies elsewhere (bind mount)',
    });
    expect(entered(text, { ...tree, crossAll: true })).toEqual(['boot']);
    expect(entered(text, { ...tree, isSystem: true })).toEqual(['boot']);
    expect(entered(text, { ...tree, asked: ['/srv/tree/etc'] })).toEqual(['etc']);
  });
});

test('of mounts over each other the last counts, and what lies below a hidden one is gone', () => {
  const text = `
1 0 0:1 / / rw - rootfs rootfs rw
2 1 8:1 / / rw - ext4 /dev/sda1 rw
3 2 8:2 / /var rw - ext4 /dev/sda2 rw
4 3 8:3 / /var/log rw - ext4 /dev/sda3 rw
5 3 0:9 / /var rw - nfs server:/var rw
6 1 8:9 / /old rw - ext4 /dev/sda9 rw
7 2 8:4 / /boot rw - autofs systemd-1 rw
8 7 8:5 / /boot rw - vfat /dev/sda5 rw`;
  expect(plan(text).map(({ path, type }) => `${path} ${type}`)).toEqual(['var nfs', 'boot vfat']);
});

/** What the kernel would list: each mount lies on the one that is seen at its place then. */
function mountedOneAfterAnother(
  mounts: readonly { device: string; root: string; target: string; type: string }[],
): string {
  const stack = [{ id: 1, target: '/' }];
  const lines = ['1 0 8:1 / / rw - ext4 /dev/sda1 rw'];
  for (const [i, { device, root, target, type }] of mounts.entries()) {
    const holds = (outer: string): boolean => outer === '/' || target === outer || target.startsWith(`${outer}/`);
    let at = 0; // walked down as a path is: at each step the last mount on top
    for (const [j, { target: outer }] of stack.entries()) {
      const current = stack[at]?.target ?? '/';
      if (holds(outer) && (outer === current || outer.startsWith(current === '/' ? '/' : `${current}/`))) at = j;
    }
    lines.push(`${i + 2} ${stack[at]?.id} ${device} ${root} ${target} rw - ${type} x rw,subvol=${root}`);
    for (let j = stack.length - 1; j >= 0; j--) {
      const below = stack[j]?.target ?? '/';
      if (below !== target && (target === '/' ? below !== '/' : below.startsWith(`${target}/`))) stack.splice(j, 1);
    }
    stack.push({ id: i + 2, target });
  }
  return lines.join('\n');
}

test('whatever is mounted, no plan enters what it leaves, or the same place twice', () => {
  const mount = fc.record({
    device: fc.constantFrom('8:1', '8:2', '0:9', '253:0'),
    root: fc.constantFrom('/', '/a', '/a/b', '/@'),
    target: fc.constantFrom('/', '/a', '/a/b', '/var', '/var/log', '/usr', '/home', '/a/b/c'),
    type: fc.constantFrom('ext4', 'btrfs', 'nfs', 'proc', 'tmpfs', 'fuse.x', 'overlay'),
  });
  fc.assert(
    fc.property(fc.array(mount, { maxLength: 8 }), fc.boolean(), fc.boolean(), (mounts, isSystem, crossAll) => {
      const made = plan(mountedOneAfterAnother(mounts), { isSystem, crossAll });
      const outside = made.filter(({ kind }) => kind === 'leave').map(({ path }) => path);
      for (const { kind, path, type } of made) {
        if (kind === 'enter') expect(['ext4', 'btrfs']).toContain(type);
        expect(outside.some((outer) => path.startsWith(`${outer}/`))).toBe(false);
        expect(path.startsWith('/') || path.endsWith('/')).toBe(false);
      }
      const places = made.map(({ path }) => path);
      expect(new Set(places).size).toBe(places.length);
    }),
  );
});
