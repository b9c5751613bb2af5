/** A machine whose root comes over the network as it does without VIVER: by the kernel's NFS client, or its NBD client. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type ArchiveEntry, newcArchive } from '../../vm/harness/archive.ts';
import { directKernel } from '../../vm/harness/direct.ts';
import { made } from '../../vm/harness/disks.ts';
import { product } from '../../vm/harness/products.ts';
import type { DirectKernel } from '../../vm/harness/scenario.ts';

const BUSYBOX = '/bin/busybox';
const NBD_CLIENT = '/sbin/nbd-client';

/** How the lower layer of the root is attached, in /init's shell; $server and $own are addresses. */
const ATTACH = {
  /** The image as a block device. */
  nbd: `/sbin/nbd-client $server 10809 /dev/nbd0 -N image
mount -t squashfs -o ro /dev/nbd0 /lower`,
  /** The files of the image, as a tree of a server. */
  nfs: 'mount -t nfs4 -o ro,vers=4.2,proto=tcp,port=2049,clientaddr=$own $server:/share/tree /lower',
  /** The image as a file of a server. */
  'nfs-image': `mount -t nfs4 -o ro,vers=4.2,proto=tcp,port=2049,clientaddr=$own $server:/share /share
mount -t squashfs -o ro,loop /share/image.sqfs /lower`,
} as const;

export type PlainRoot = keyof typeof ATTACH;

const MODULES: Readonly<Record<PlainRoot, readonly string[]>> = {
  nbd: ['nbd', 'squashfs'],
  nfs: ['nfsv4'],
  'nfs-image': ['nfsv4', 'loop', 'squashfs'],
};

const initOf = (root: PlainRoot, modules: readonly string[]): string => `#!/busybox sh
/busybox mkdir -p /proc /sys /dev /bin /lower /share /rw /root
/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
${modules.map((name) => `insmod /modules/${name}`).join('\n')}
for word in $(cat /proc/cmdline); do case $word in own=*|server=*) eval "$word" ;; esac; done
ip link set lo up; ip link set eth0 up; ip addr add $own/24 dev eth0
${ATTACH[root]}
mount -t tmpfs rw /rw; mkdir /rw/upper /rw/work
mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work root /root
exec switch_root /root /sbin/init
`;

/** Each module's file once, what it needs first. */
function modulesOf(root: PlainRoot, version: string): readonly string[] {
  const wanted = ['virtio_pci', 'virtio_net', 'overlay', ...MODULES[root]];
  const lines = wanted.flatMap((name) =>
    execFileSync('modprobe', ['-d', product('kernel'), '-S', version, '--show-depends', name], { encoding: 'utf8' })
      .split('\n')
      .flatMap((line) => /^insmod (\S+)/.exec(line)?.[1] ?? []),
  );
  return [...new Set(lines)];
}

/** A program with the libraries that it is linked with, by their paths here. */
function programFiles(program: string): readonly string[] {
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g);
  return [program, ...[...libraries].map(([, path]) => path ?? '')];
}

/** Why this machine cannot try it; undefined: it can. */
export function whyNoNbd(): string | undefined {
  return existsSync(NBD_CLIENT) ? undefined : `${NBD_CLIENT} is not here (Debian's nbd-client)`;
}

/** VIVER's kernel, and an initrd that does nothing but attach this root. */
export async function plainKernel(root: PlainRoot, own: string, server: string): Promise<DirectKernel> {
  const version = (await readFile(product('kernel-version'), 'utf8')).trim();
  const modules = modulesOf(root, version);
  const init = initOf(
    root,
    modules.map((path) => basename(path)),
  );
  const programs = root === 'nbd' ? programFiles(NBD_CLIENT) : [];
  const files = [BUSYBOX, ...modules, ...programs];
  const initrd = await made(`${root}.cpio`, { description: init, files }, async (target) => {
    const file = async (path: string, from: string): Promise<ArchiveEntry> => ({
      path,
      mode: 0o100755,
      data: await readFile(from),
    });
    const folders = ['dev', 'modules', ...foldersOf(programs)];
    const entries = [
      ...folders.map((path): ArchiveEntry => ({ path, mode: 0o040755 })),
      await file('busybox', BUSYBOX),
      ...(await Promise.all(modules.map((path) => file(`modules/${basename(path)}`, path)))),
      ...(await Promise.all(programs.map((path) => file(path.slice(1), path)))),
      { path: 'init', mode: 0o100755, data: Buffer.from(init) },
    ];
    await writeFile(target, newcArchive(entries));
  });
  return directKernel(initrd, `own=${own}`, `server=${server}`, 'rdinit=/init');
}

/** Every folder above some files, those above first, without the root. */
function foldersOf(paths: readonly string[]): readonly string[] {
  const found = new Set<string>();
  for (const path of paths) {
    const parts = path.slice(1).split('/');
    for (let depth = 1; depth < parts.length; depth++) found.add(parts.slice(0, depth).join('/'));
  }
  return [...found];
}
