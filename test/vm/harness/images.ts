import { execFile } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type FileSystem, made, madeDisk } from './disks.ts';
import { product } from './products.ts';

const run = promisify(execFile);

/** A disk image with its chunk index, both as files here. */
export interface Image {
  readonly name: string;
  readonly sqfs: string;
  readonly caibx: string;
  /** SHA-256 of the index file, hex. */
  readonly id: string;
}

const sha256 = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

/** An image that make built: debian, sysvinit. */
export async function builtImage(name: string): Promise<Image> {
  const caibx = product(`${name}.caibx`);
  return { name, sqfs: product(`${name}.sqfs`), caibx, id: await sha256(caibx) };
}

const INITTAB = `::sysinit:/bin/mount -t proc proc /proc
::sysinit:/bin/hostname -F /etc/hostname
ttyS0::respawn:/bin/getty -L 115200 ttyS0 vt100
::shutdown:/bin/umount -a -r
`;

/** Bytes that no compression shortens, the same for the same seed. */
function noise(seed: string, sizeBytes: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

const BUSYBOX = '/bin/busybox';
const SMALL_IMAGE_BYTES = 24 << 20;

/**
 * A BusyBox system that boots in a second, with /data full of noise so that there is something to read. Variants
 * differ in that noise and in /etc/variant. The index is casync's own, made for the project's format.
 * @param texts more files, by their path in the image; scripts and programs can be executed
 */
export async function smallImage(variant = 'one', texts: Readonly<Record<string, string>> = {}): Promise<Image> {
  const inputs = { description: [variant, INITTAB, SMALL_IMAGE_BYTES, texts], files: [BUSYBOX] };
  const sqfs = await made(`small-${variant}.sqfs`, inputs, async (target, work) => {
    const tree = join(work, 'tree');
    for (const directory of ['bin', 'sbin', 'etc', 'dev', 'proc', 'sys', 'run', 'tmp', 'root', 'mnt', 'var']) {
      await mkdir(join(tree, directory), { recursive: true });
    }
    await copyFile(BUSYBOX, join(tree, 'bin/busybox'));
    const { stdout } = await run(BUSYBOX, ['--list']);
    for (const applet of stdout.trim().split('\n')) {
      if (applet !== 'busybox') await symlink('busybox', join(tree, 'bin', applet));
    }
    for (const applet of ['init', 'getty', 'poweroff', 'reboot', 'halt']) {
      await symlink('../bin/busybox', join(tree, 'sbin', applet));
    }
    await writeFile(join(tree, 'etc/inittab'), INITTAB);
    await writeFile(join(tree, 'etc/passwd'), 'root::0:0:root:/root:/bin/sh\n');
    await writeFile(join(tree, 'etc/group'), 'root:x:0:\n');
    await writeFile(join(tree, 'etc/hostname'), 'small\n');
    await writeFile(join(tree, 'etc/variant'), `${variant}\n`);
    await writeFile(join(tree, 'data'), noise(variant, SMALL_IMAGE_BYTES));
    for (const [path, text] of Object.entries(texts)) {
      const file = join(tree, path);
      await mkdir(dirname(file), { recursive: true });
      await rm(file, { force: true }); // through a link it would be written over BusyBox
      await writeFile(file, text, { mode: /^(#!|\x7fELF)/.test(text) ? 0o755 : 0o644 });
    }
    await run('mksquashfs', [tree, target, '-quiet', '-no-progress', '-all-root', '-comp', 'zstd', '-all-time', '0']);
  });
  return indexOf('small', sqfs, `small-${variant}`);
}

/** A squashfs file with the index casync makes of it. */
export async function indexOf(name: string, sqfs: string, as = name): Promise<Image> {
  const caibx = await made(`${as}.caibx`, { description: 'casync', files: [sqfs] }, async (target, work) => {
    const chunks = ['--digest=sha256', '--chunk-size=16384:65536:262144', `--store=${join(work, 'store')}`];
    const index = join(work, 'index.caibx');
    await run('casync', ['make', ...chunks, index, sqfs]);
    await rename(index, target);
  });
  return { name, sqfs, caibx, id: await sha256(caibx) };
}

/** The same image with other bytes in the middle of its data; its index and id stay what they were. */
export async function changedImage(image: Image): Promise<Image> {
  const sqfs = await made(
    `changed-${image.name}.sqfs`,
    { description: 'changed', files: [image.sqfs] },
    async (target) => {
      const bytes = await readFile(image.sqfs);
      bytes.fill(0x5a, bytes.length >> 1, (bytes.length >> 1) + 4096);
      await writeFile(target, bytes);
    },
  );
  return { ...image, sqfs };
}

/** Image and index as files of a medium. */
export function filesOf(image: Image, name = image.name): Readonly<Record<string, string>> {
  return { [`/viver/${name}.sqfs`]: image.sqfs, [`/viver/${name}.caibx`]: image.caibx };
}

/** A disk with a partition table and one file system that holds the image and its index; and others beside it. */
export function imageDisk(
  image: Image,
  fileSystem: FileSystem = 'ext4',
  others: readonly Image[] = [],
): Promise<string> {
  const all = [image, ...others].map((one) => filesOf(one));
  const files = fileSystem === 'squashfs' ? { image: image.sqfs } : Object.assign({}, ...all);
  const partition = { fileSystem, label: image.name.toUpperCase().slice(0, 11), files };
  return madeDisk(`disk-${fileSystem}-${basename(image.sqfs)}`, {
    table: 'gpt',
    partitions: [partition],
  });
}

/** viver.iso's own boot folder made into an ISO without an image: a loader alone. */
export function loaderIso(): Promise<string> {
  const iso = product('viver.iso');
  return made('loader.iso', { description: 'no image', files: [iso] }, async (target, work) => {
    const tree = join(work, 'tree');
    for (const path of ['vmlinuz', 'viverrd.zst', 'grub/grub.cfg']) {
      await run('xorriso', ['-osirrox', 'on', '-indev', iso, '-extract', `/boot/${path}`, join(tree, 'boot', path)]);
    }
    await run('grub-mkrescue', ['-o', target, '--compress=xz', '--locales=', '--fonts=', '--themes=', tree]);
  });
}
