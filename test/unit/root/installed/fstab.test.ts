import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fstabFor, parseFstabRow } from '../../../../src/root/installed/fstab.ts';

const acting = (text: string) => text.split('\n').filter((row) => row.trim() !== '' && !row.trim().startsWith('#'));
const none = () => false;

test('disks by any name, swap files, pools and folders of a virtual machine become comments', () => {
  const rows = [
    'UUID=3-4 /srv ext4 defaults 0 2',
    'PARTUUID=1 /a ext4 defaults 0 2',
    'PARTLABEL=x /a ext4',
    'ID=ata-X /a ext4',
    'LABEL=My\\040Data /a ext4 defaults',
    'LABEL="data" /a ext4',
    'UUID="3-4"\t/srv\text4\tdefaults',
    '/dev/mapper/vg-home /home ext4 defaults 0 2',
    '/dev/disk/by-id/x /b xfs nofail 0 0',
    'UUID=5 /backup ext4 nofail,x-systemd.device-timeout=5 0 0',
    'LABEL=lazy /lazy ext4 noauto,x-systemd.automount 0 0',
    'LABEL=wanted /w ext4 noauto,x-systemd.wanted-by=multi-user.target',
    '/swapfile none swap sw 0 0',
    '/swap.img none swap sw,nofail 0 0',
    '/dev/sda3 swap swap defaults 0 0',
    'rpool/home /home zfs rw 0 0',
    'share /mnt/share virtiofs defaults 0 0',
    'share /mnt/share 9p trans=virtio,version=9p2000.L 0 0',
    'home /home/u/host vboxsf defaults',
    '  /dev/sdb1   /indented  ext4  defaults  ',
  ];
  for (const row of rows) expect(acting(fstabFor(`# top\n${row}\n`).text), row).toEqual([]);
});

test('what is as good on any machine stays as it is, and so does a file without disks', () => {
  const text = `# comment
\ttmpfs\t/home\ttmpfs\tsize=1G\t0\t0
10.0.0.1:/home /nfs nfs defaults 0 0
[fd00::1]:/x /nfs6 nfs4 _netdev,nofail
//server/share /cifs cifs credentials=/root/c 0 0
user@host:/ /ssh fuse.sshfs _netdev
fs /9 9p trans=tcp,port=564
/dev/zram0 none swap pri=100
/srv/a /srv/b none bind 0 0
/home/My\\040Files /var/x none rbind,nofail
/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0
LABEL=stick /media/stick vfat noauto,user 0 0
overlay /merged overlay lowerdir=/etc,upperdir=/home/up,workdir=/home/work 0 0
proc /proc proc defaults,hidepid=2 0 0
`;
  expect(fstabFor(text)).toEqual({ text, dropped: [] });
});

test('a row goes with what it lies on', () => {
  const { text, dropped } = fstabFor(
    `LABEL=data /data ext4 defaults 0 2
/data/home /home none bind 0 0
/home/web /srv none bind 0 0
/iso/x.iso /mnt iso9660 loop,ro 0 0
/mnt/disk*:/pool /all fuse.mergerfs defaults
overlay /merged overlay lowerdir=/etc,upperdir=/var/up,workdir=/var/work 0 0
tmpfs /scratch tmpfs defaults
/scratch/a /b none bind
overlay /c overlay lowerdir=/etc,upperdir=/scratch/up,workdir=/scratch/work
/run/x /d none bind,nofail
`,
    (path) => ['/etc', '/var/up', '/var/work'].includes(path),
  );
  expect(acting(text)).toEqual([
    'tmpfs /scratch tmpfs defaults',
    '/scratch/a /b none bind',
    'overlay /c overlay lowerdir=/etc,upperdir=/scratch/up,workdir=/scratch/work',
    '/run/x /d none bind,nofail',
  ]);
  expect(dropped).toEqual([
    'LABEL=data on /data',
    '/data/home on /home (no /data/home here)',
    '/home/web on /srv (no /home/web here)',
    '/iso/x.iso on /mnt (no /iso/x.iso here)',
    '/mnt/disk*:/pool on /all (no /pool here)',
    'overlay on /merged (/var/up lies on an overlay)',
  ]);
});

test("mount points that are VIVER's are taken, however they are written", () => {
  for (const target of ['/', '//', '/boot', '/boot/', '/boot//efi', '/usr/', '/run', '\\057boot'])
    expect(acting(fstabFor(`10.0.0.1:/x ${target} nfs defaults`).text), target).toEqual([]);
});

test('a person is told why, and how to have a row back', () => {
  const { text } = fstabFor('UUID=1 /x ext4 defaults 0 2');
  expect(text.split('\n')[0]).toMatch(/^# VIVER: .*machine this system was installed on/);
  const again = text.replace('# VIVER: UUID', 'UUID');
  expect(acting(again)).toEqual(['UUID=1 /x ext4 defaults 0 2']);
});

test('a row is read as getmntent(3) does', () => {
  expect(parseFstabRow('  LABEL=a\\040b\t/x\\011y/  ext4 \t rw,noatime 0 2 # no comment')).toEqual({
    source: 'LABEL=a b',
    target: '/x\ty',
    type: 'ext4',
    options: ['rw', 'noatime'],
  });
  for (const row of ['', '   ', '#x', '\t# UUID=1 / ext4']) expect(parseFstabRow(row)).toBeUndefined();
});

test('any text: rows are kept or marked, none is lost or changed, and twice is once', () => {
  const field = fc.oneof(
    fc.constantFrom(
      'UUID=1',
      '/dev/a',
      '/',
      '/boot',
      'none',
      'swap',
      'bind',
      'noauto',
      'overlay',
      'tmpfs',
      '#',
      '\\040',
    ),
    fc.string(),
  );
  const row = fc.array(field, { maxLength: 6 }).map((fields) => fields.join(' '));
  fc.assert(
    fc.property(fc.array(row), fc.boolean(), (rows, exists) => {
      const before = rows.join('\n');
      const { text, dropped } = fstabFor(before, () => exists);
      const unmarked = text.split('\n').map((line) => line.replace(/^# VIVER: /, ''));
      if (dropped.length > 0) unmarked.shift();
      expect(unmarked).toEqual(before.split('\n').map((line) => line.replace(/^# VIVER: /, '')));
      expect(fstabFor(text, () => exists)).toEqual({ text, dropped: [] });
    }),
  );
  expect(fstabFor('', none)).toEqual({ text: '', dropped: [] });
});
