import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import { planSupervisor } from '../../../src/nbd/supervisor.ts';
import { type ArchiveEntry, newcArchive } from '../../vm/harness/archive.ts';
import { directKernel } from '../../vm/harness/direct.ts';
import { BUILD, CHECKOUT, vmDirectory } from '../../vm/harness/products.ts';
import type { DirectKernel } from '../../vm/harness/scenario.ts';

const BUSYBOX = '/bin/busybox';
const MODULES = ['drivers/block/nbd.ko', 'fs/squashfs/squashfs.ko'];

/** What is in the image that the machine's block device holds. */
export interface TestImage {
  readonly size: number;
  readonly md5: string;
  /** MD5 of the file `/data` in it. */
  readonly dataMd5: string;
}

export interface KernelMachine {
  readonly kernel: DirectKernel;
  readonly image: TestImage;
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

function program(path: string, data: Uint8Array): ArchiveEntry {
  return { path, mode: 0o100755, data };
}

/** Every directory that `files` lie in, parents first. */
function directoriesOf(files: readonly ArchiveEntry[]): ArchiveEntry[] {
  const found = new Set<string>();
  for (const { path } of files) {
    for (let at = dirname(path); at !== '.'; at = dirname(at)) found.add(at);
  }
  return [...found].sort().map((path) => ({ path, mode: 0o040755 }));
}

/** Node without symbols and the libraries it is linked with. */
function nodeFiles(work: string): ArchiveEntry[] {
  const node = join(work, 'node');
  execFileSync('strip', ['-o', node, realpathSync(process.execPath)]);
  const listed = execFileSync('ldd', [node]).toString();
  const libraries = [...listed.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
  return [
    program('bin/node', readFileSync(node)),
    ...libraries.map((path) => program(path.slice(1), readFileSync(path))),
  ];
}

/** An image of a length that is no whole number of blocks, with a file in it that reads differently everywhere. */
function makeImage(work: string): { bytes: Buffer; image: TestImage } {
  const tree = join(work, 'tree');
  mkdirSync(tree);
  const data = randomBytes(12 << 20);
  writeFileSync(join(tree, 'data'), data);
  const file = join(work, 'image.sqfs');
  execFileSync('mksquashfs', [tree, file, '-noappend', '-nopad', '-noD', '-noF', '-quiet', '-no-progress']);
  const bytes = readFileSync(file);
  return { bytes, image: { size: bytes.length, md5: md5(bytes), dataMd5: md5(data) } };
}

function init(): string {
  const { file, argv0, args } = planSupervisor({
    command: ['/bin/node', '/daemon.mjs', '/image.sqfs'],
    name: '@viver-field',
    busybox: '/bin/busybox',
  });
  const quoted = args.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return [
    '#!/bin/busybox sh',
    '/bin/busybox --install -s /bin; export PATH=/bin',
    'mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run',
    ...MODULES.map((path) => `insmod /${basename(path)}`),
    // Node makes the terminal it writes to non-blocking, which the shell must not share.
    `(exec -a ${argv0} ${file} ${quoted}) > /dev/console 2>&1 &`,
    'stty -echo; echo "shell is up"; exec setsid cttyhack sh',
    '',
  ].join('\n');
}

/** A machine with the kernel's NBD driver, the daemon of device-daemon.ts under its supervisor, and a shell. */
export async function kernelMachine(): Promise<KernelMachine> {
  const work = mkdtempSync(join(tmpdir(), 'viver-nbd-vm-'));
  try {
    const modules = join(BUILD, 'kernel/lib/modules');
    const [version = ''] = readdirSync(modules);
    const { bytes, image } = makeImage(work);
    const daemon = join(work, 'daemon.mjs');
    const entry = join(import.meta.dirname, 'device-daemon.ts');
    await build({ entryPoints: [entry], outfile: daemon, bundle: true, platform: 'node', format: 'esm' });
    const addon = `node_modules/netlink/prebuilds/linux-${process.arch}/node.napi.node`;
    const files: ArchiveEntry[] = [
      ...nodeFiles(work),
      program('bin/busybox', readFileSync(BUSYBOX)),
      ...MODULES.map((path) => program(basename(path), readFileSync(join(modules, version, 'kernel', path)))),
      program('daemon.mjs', readFileSync(daemon)),
      program('node_modules/netlink/package.json', readFileSync(join(CHECKOUT, 'node_modules/netlink/package.json'))),
      program(addon, readFileSync(join(CHECKOUT, addon))),
      program('image.sqfs', bytes),
      program('init', Buffer.from(init())),
    ];
    const empty = ['dev', 'proc', 'sys', 'run', 'mnt', 'tmp'].map((path) => ({ path, mode: 0o040755 }));
    const initrd = join(vmDirectory(), 'nbd-kernel.cpio');
    writeFileSync(initrd, newcArchive([...empty, ...directoriesOf(files), ...files]));
    return { kernel: directKernel(initrd, 'loglevel=4'), image };
  } finally {
    rmSync(work, { recursive: true });
  }
}
