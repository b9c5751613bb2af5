import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  copyFile,
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { fillExfat } from './exfat.ts';
import { vmDirectory } from './products.ts';

const run = promisify(execFile);
const MIB = 1 << 20;

export type FileSystem = 'ext4' | 'ext2' | 'vfat' | 'iso9660' | 'xfs' | 'btrfs' | 'exfat' | 'squashfs';

export interface Partition {
  /** squashfs: the one file of `files` lies alone on the partition. none: zeroes. */
  readonly fileSystem: FileSystem | 'none';
  readonly label?: string;
  /** Path on the file system → file here. */
  readonly files?: Readonly<Record<string, string>>;
  /** Default: what the files need and some room. */
  readonly sizeMiB?: number;
}

export interface DiskImage {
  readonly table: 'gpt' | 'mbr' | 'none';
  /** With table none: one, over the whole disk. */
  readonly partitions: readonly Partition[];
}

const PARTITIONS_START_MIB = 1;

async function sizeOf(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Smallest sizes the mkfs programs take without complaint. */
const LEAST_MIB: Readonly<Record<FileSystem | 'none', number>> = {
  ext4: 32,
  ext2: 16,
  vfat: 64,
  iso9660: 1,
  xfs: 320,
  btrfs: 256,
  exfat: 64,
  squashfs: 1,
  none: 1,
};

/** The files in a directory tree of their own: hard links where one file system holds both. */
async function stage(directory: string, files: Readonly<Record<string, string>>): Promise<string> {
  for (const [path, source] of Object.entries(files)) {
    const target = join(directory, path);
    await mkdir(dirname(target), { recursive: true });
    await link(source, target).catch(() => copyFile(source, target));
  }
  return directory;
}

async function makeVfat(image: string, label: readonly string[], files: Readonly<Record<string, string>>) {
  await run('mkfs.vfat', [...label.flatMap((word) => ['-n', word]), image]);
  const made = new Set<string>();
  for (const [path, source] of Object.entries(files)) {
    const parents = dirname(path)
      .split('/')
      .filter((part) => part !== '')
      .map((_, depth, parts) => `::/${parts.slice(0, depth + 1).join('/')}`);
    for (const directory of parents) if (!made.has(directory)) await run('mmd', ['-i', image, directory]);
    for (const directory of parents) made.add(directory);
    await run('mcopy', ['-i', image, source, path.replace(/^\/?/, '::/')]);
  }
}

/** mkfs.xfs fills a new file system from a prototype file (mkfs.xfs(8), -p). */
async function makeXfs(image: string, label: readonly string[], files: Readonly<Record<string, string>>, tree: string) {
  const lines = ['/', '0 0', 'd--755 0 0', 'viver d--755 0 0'];
  for (const [path, source] of Object.entries(files)) {
    if (dirname(path) !== '/viver') throw new Error(`xfs images hold files in /viver only, not ${path}`);
    lines.push(`${basename(path)} ---644 0 0 ${source}`);
  }
  const prototype = join(tree, '..', 'prototype');
  await writeFile(prototype, `${[...lines, '$', '$'].join('\n')}\n`);
  await run('mkfs.xfs', ['-q', ...label.flatMap((word) => ['-L', word]), '-p', prototype, image]);
}

async function makeFileSystem(image: string, partition: Partition, work: string): Promise<void> {
  const files = partition.files ?? {};
  const sources = Object.values(files);
  const contentMiB = Math.ceil(((await sizeOf(sources)) * 1.08) / MIB);
  const sizeMiB = partition.sizeMiB ?? Math.max(LEAST_MIB[partition.fileSystem], contentMiB + 16);
  const tree = join(work, 'tree');
  await rm(tree, { recursive: true, force: true });
  await mkdir(tree);
  await writeFile(image, '');
  await truncate(image, sizeMiB * MIB);
  const label = partition.label === undefined ? [] : [partition.label];
  const labelled = (option: string) => label.flatMap((word) => [option, word]);
  switch (partition.fileSystem) {
    case 'none':
      return;
    case 'ext2':
    case 'ext4': {
      const tool = `mkfs.${partition.fileSystem}`;
      await run(tool, ['-q', '-F', ...labelled('-L'), '-d', await stage(tree, files), image]);
      return;
    }
    case 'vfat':
      return makeVfat(image, label, files);
    case 'exfat':
      await run('mkfs.exfat', [...labelled('-L'), image]);
      fillExfat(image, files);
      return;
    case 'xfs':
      return makeXfs(image, label, files, tree);
    case 'btrfs':
      await run('mkfs.btrfs', ['-q', ...labelled('-L'), '--rootdir', await stage(tree, files), image]);
      return;
    case 'iso9660': {
      await rm(image);
      const volume = ['-volid', partition.label ?? 'VIVER'];
      await run('xorriso', ['-as', 'mkisofs', '-quiet', '-r', '-J', ...volume, '-o', image, await stage(tree, files)]);
      return;
    }
    case 'squashfs': {
      const [only] = sources;
      if (only === undefined || sources.length !== 1) throw new Error('a squashfs partition holds exactly one image');
      await copyFile(only, image);
    }
  }
}

/** Copies a file into another at an offset, leaving holes where the source is zero. */
async function copyInto(source: string, target: string, offsetMiB: number): Promise<void> {
  const words = [`if=${source}`, `of=${target}`, 'bs=1M', `seek=${offsetMiB}`, 'conv=notrunc,sparse', 'status=none'];
  await run('dd', words);
}

async function assemble(disk: DiskImage, target: string, work: string): Promise<void> {
  const parts: { file: string; startMiB: number; sizeMiB: number; type: string }[] = [];
  let startMiB = PARTITIONS_START_MIB;
  for (const [index, partition] of disk.partitions.entries()) {
    const file = join(work, `partition-${index + 1}`);
    await makeFileSystem(file, partition, work);
    const sizeMiB = Math.ceil((await stat(file)).size / MIB);
    parts.push({ file, startMiB, sizeMiB, type: partition.fileSystem === 'vfat' ? 'vfat' : 'linux' });
    startMiB += sizeMiB;
  }
  const [only] = parts;
  if (disk.table === 'none') {
    if (only === undefined || parts.length !== 1) throw new Error('a disk without a table holds exactly one partition');
    await rename(only.file, target);
    return;
  }
  await writeFile(target, '');
  await truncate(target, (startMiB + 1) * MIB);
  const types = { gpt: { vfat: 'U', linux: 'L' }, mbr: { vfat: 'c', linux: '83' } }[disk.table];
  const lines = parts.map(
    (part) =>
      `start=${part.startMiB}MiB, size=${part.sizeMiB}MiB, type=${part.type === 'vfat' ? types.vfat : types.linux}`,
  );
  const script = join(work, 'table');
  await writeFile(script, `label: ${disk.table === 'mbr' ? 'dos' : 'gpt'}\n${lines.join('\n')}\n`);
  await run('sh', ['-c', 'sfdisk --quiet "$1" <"$2"', 'sh', target, script]);
  for (const part of parts) await copyInto(part.file, target, part.startMiB);
}

/**
 * A name for what a function makes from its inputs: files count by path, size and time of change; what was made here
 * itself has all it was made from in its name, and its time says only when it was last used.
 */
async function keyOf(description: unknown, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(description));
  const ownFiles = join(vmDirectory('made'), '/');
  for (const file of files) {
    if (file.startsWith(ownFiles)) {
      hash.update(`${file}\n`);
      continue;
    }
    const { size, mtimeMs } = await stat(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Inputs change with every build: what an older one left behind goes. */
const STALE_MS = 3 * 3_600_000;

/**
 * A file made once from its inputs and kept under build/vm/made/. `make` writes it at the path it is given; the file
 * gets its name only when it is whole, so workers may ask for the same one at the same time.
 */
export async function made(
  name: string,
  inputs: { readonly description: unknown; readonly files: readonly string[] },
  make: (target: string, work: string) => Promise<void>,
): Promise<string> {
  const directory = vmDirectory('made');
  const path = join(directory, `${name}-${await keyOf(inputs.description, inputs.files)}`);
  if (existsSync(path)) {
    // In use: not to be taken for stale by whoever makes the next thing.
    const now = new Date();
    await utimes(path, now, now);
    return path;
  }
  for (const old of await readdir(directory)) {
    const file = join(directory, old);
    const made = await stat(file).catch(() => undefined);
    if (made !== undefined && Date.now() - made.mtimeMs > STALE_MS) await rm(file, { recursive: true, force: true });
  }
  const work = await mkdtemp(join(directory, 'work-'));
  try {
    await make(join(work, 'made'), work);
    await rename(join(work, 'made'), path);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return path;
}

/** A disk with partitions and file systems, made without root. `name` is a short word for what is on it. */
export function madeDisk(name: string, disk: DiskImage): Promise<string> {
  const files = disk.partitions.flatMap((partition) => Object.values(partition.files ?? {}));
  return made(name, { description: disk, files }, (target, work) => assemble(disk, target, work));
}

/** Overwrites bytes of a file. */
export async function overwrite(file: string, offset: number, bytes: Uint8Array): Promise<void> {
  await using handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, offset);
}

/** Cuts one partition out of a disk image, for fsck and its like. Start and size as `sfdisk --json` gives them. */
export async function cutPartition(disk: string, number: number, target: string): Promise<void> {
  const { stdout } = await run('sfdisk', ['--json', disk]);
  const table = JSON.parse(stdout) as {
    partitiontable: { sectorsize: number; partitions: { start: number; size: number }[] };
  };
  const { sectorsize, partitions } = table.partitiontable;
  const partition = partitions[number - 1];
  if (partition === undefined) throw new Error(`${disk}: no partition ${number}`);
  const sector = (count: number) => String(count * sectorsize);
  const words = [`if=${disk}`, `of=${target}`, 'bs=1M', 'iflag=skip_bytes,count_bytes', 'conv=sparse', 'status=none'];
  await run('dd', [...words, `skip=${sector(partition.start)}`, `count=${sector(partition.size)}`]);
}
