/** A Debian as its installer leaves it on a disk of its own: GRUB, /boot and /home on partitions, disks named by UUID. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { made, overwrite } from './disks.ts';
import { type Recipe, variantTar } from './variant-image.ts';

const run = promisify(execFile);
const MIB = 1 << 20;
const SECTOR_BYTES = 512;
const GRUB = '/usr/lib/grub/i386-pc';
/** What the MBR's code may have of its sector; the partition table follows. */
const BOOT_CODE_BYTES = 440;

const uuid = (last: number): string => `0b9e7c1a-6c1e-4b7d-9f0e-6a9f3a9b${String(last).padStart(4, '0')}`;
const BOOT = uuid(1001);
const ROOT = uuid(1002);
const HOME = uuid(1003);
const CRYPT = uuid(1004);

export interface InstalledDebian {
  readonly suite: 'bookworm' | 'trixie';
  /** The root's file system is inside LUKS, opened by this passphrase on the console. */
  readonly passphrase?: string;
  /** Files put into /home, by their names there. */
  readonly home?: Readonly<Record<string, string>>;
}

const fstab = (root: string): string => `# <file system> <mount point> <type> <options> <dump> <pass>
${root} / ext4 errors=remount-ro 0 1
UUID=${BOOT} /boot ext4 defaults 0 2
UUID=${HOME} /home ext4 defaults 0 2
`;

/** GRUB's menu as update-grub writes it, in short. */
const menu = (version: string, root: string): string => `set timeout=0
search --no-floppy --fs-uuid --set=root ${BOOT}
menuentry 'Debian GNU/Linux' {
  linux /vmlinuz-${version} root=${root} ro console=ttyS0 mitigations=off
  initrd /initrd.img-${version}
}
`;

/** Its initrd has what this disk needs and no more: an emulated processor unpacks it. */
function recipeOf({ suite, passphrase }: InstalledDebian): Recipe {
  const isCrypt = passphrase !== undefined;
  const root = isCrypt ? '/dev/mapper/root_crypt' : `UUID=${ROOT}`;
  return {
    base: { suite },
    packages: ['linux-image-amd64', 'initramfs-tools', 'zstd', ...(isCrypt ? ['cryptsetup-initramfs'] : [])],
    files: {
      '/etc/fstab': fstab(root),
      ...(isCrypt && { '/etc/crypttab': `root_crypt UUID=${CRYPT} none luks,initramfs\n` }),
      '/etc/hostname': 'teacher\n',
      '/etc/initramfs-tools/modules': 'virtio_pci\nvirtio_blk\next4\n',
      '/etc/initramfs-tools/conf.d/few': 'MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\n',
    },
    shell: `version=$(ls /boot | sed -n 's/^vmlinuz-//p')
for other in /usr/lib/modules/*; do [ "$other" = "/usr/lib/modules/$version" ] || rm -r "$other"; done
update-initramfs -c -k "$version" || update-initramfs -u -k "$version"
mkdir -p /boot/grub
cat > /boot/grub/grub.cfg <<END
${menu('$version', root)}END
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
`,
  };
}

const PARTITIONS = [
  { name: 'boot', uuid: BOOT, sizeMiB: 160 },
  { name: 'root', uuid: ROOT, sizeMiB: 1400 },
  { name: 'home', uuid: HOME, sizeMiB: 1600 },
] as const;

/** Fills the three file systems, owners as the tar has them whoever runs this (fakeroot). */
async function makeFileSystems(tar: string, home: Readonly<Record<string, string>>, work: string): Promise<void> {
  for (const { name, sizeMiB } of PARTITIONS) {
    await writeFile(join(work, name), '');
    await truncate(join(work, name), sizeMiB * MIB);
  }
  const trees = join(work, 'trees');
  await mkdir(join(trees, 'home'), { recursive: true });
  for (const [name, file] of Object.entries(home)) await copyFile(file, join(trees, 'home', name));
  const make = PARTITIONS.map(
    ({ name, uuid }) => `mke2fs -q -F -t ext4 -U ${uuid} -d "$trees/${name}" "$work/${name}"`,
  );
  const script = `work=$0 trees=$0/trees; mkdir "$trees/root"; tar -xpf "$1" -C "$trees/root"
mv "$trees/root/boot" "$trees/boot"; mkdir "$trees/root/boot" "$trees/boot/lost+found"; rm -r "$trees/boot/lost+found"
mkdir -p "$trees/boot/grub"; cp -r ${GRUB} "$trees/boot/grub/"; rm -rf "$trees/root/home"; mkdir "$trees/root/home"
chown -R 0:0 "$trees/boot/grub" "$trees/home"
${make.join('\n')}
rm -r "$trees"`;
  await run('fakeroot', ['sh', '-euc', script, work, tar]);
}

/** The passphrase's file system around the root's; `iter-time` is short, an emulated processor derives the key. */
async function encrypt(work: string, passphrase: string): Promise<void> {
  const [plain, luks] = [join(work, 'root'), join(work, 'root-crypt')];
  const secret = ['--object', `secret,id=key,data=${passphrase}`];
  await run('qemu-img', [
    'convert',
    ...secret,
    '-f',
    'raw',
    '-O',
    'luks',
    '-o',
    'key-secret=key,iter-time=10',
    plain,
    luks,
  ]);
  await run('cryptsetup', ['luksUUID', '--batch-mode', '--uuid', CRYPT, luks]);
  await rename(luks, plain);
}

/** GRUB where `grub-install` puts it: the first sector, and those before the first partition. */
async function installGrub(disk: string, work: string): Promise<void> {
  const core = join(work, 'core.img');
  const modules = ['biosdisk', 'part_msdos', 'ext2'];
  await run('grub-mkimage', ['-O', 'i386-pc', '-d', GRUB, '-o', core, '-p', '(hd0,msdos1)/grub', ...modules]);
  const [boot, image] = [await readFile(join(GRUB, 'boot.img')), await readFile(core)];
  await overwrite(disk, 0, boot.subarray(0, BOOT_CODE_BYTES));
  await overwrite(disk, SECTOR_BYTES, image);
}

/** The partitions one after the other behind an MBR, with room before the first for GRUB. */
async function assemble(disk: string, work: string): Promise<void> {
  const lines: string[] = ['label: dos'];
  const copies: string[] = [];
  let start = 1;
  for (const { name } of PARTITIONS) {
    const file = join(work, name);
    const sizeMiB = Math.ceil((await stat(file)).size / MIB);
    lines.push(`start=${start}MiB, size=${sizeMiB}MiB, type=83`);
    copies.push(`dd "if=${file}" "of=$0" bs=1M seek=${start} conv=notrunc,sparse status=none`);
    start += sizeMiB;
  }
  await writeFile(disk, '');
  await truncate(disk, (start + 1) * MIB);
  const script = ['echo "$1" | sfdisk --quiet "$0"', ...copies].join('\n');
  await run('sh', ['-euc', script, disk, lines.join('\n')]);
}

/** A raw disk with a Debian installed on it. It is shared: writes go to an overlay, or to a copy. */
export async function installedDisk(of: InstalledDebian): Promise<string> {
  const { suite, passphrase, home = {} } = of;
  const name = `installed-${suite}${passphrase === undefined ? '' : '-luks'}`;
  const tar = await variantTar(name, recipeOf(of));
  const inputs = { description: [of, PARTITIONS], files: [tar, ...Object.values(home)] };
  return made(`${name}.img`, inputs, async (target, work) => {
    await makeFileSystems(tar, home, work);
    if (passphrase !== undefined) await encrypt(work, passphrase);
    await assemble(target, work);
    await installGrub(target, work);
  });
}
