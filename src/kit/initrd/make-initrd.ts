import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, statSync } from 'node:fs';
import { chmod, copyFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { cpioArchive } from '../../codec/cpio.ts';
import { FIELD_KEY } from '../../runes/places.ts';
import { partialName } from '../output-file.ts';
import { sourceDate } from '../source-date.ts';
import { type Compression, writeCompressed } from './compress.ts';
import { findModules, inTree } from './find-modules.ts';
import { makeFirstStage } from './first-stage.ts';
import { findKit, type KitFiles, kitTool } from './kit-files.ts';
import { layModules } from './lay-modules.ts';
import { listRows } from './list-rows.ts';
import { addEntry, addTree, bothArchives, fileEntry, type TreeEntries, unpackedMib } from './tree-entries.ts';

/** Of zstd: a tenth larger than with 19, made in a tenth of the time. */
export const DEFAULT_LEVEL = 9;

/** oldroot: where systemd puts the root when it comes back here at the end; it can make no directory by then. */
const DIRECTORIES = 'bin dev etc lib oldroot proc root run sbin sys tmp usr usr/bin usr/sbin'.split(' ');

/** The kernel unpacks firmware by itself, if it was built so; smaller files are not worth it. */
const XZ_FIRMWARE = /^CONFIG_FW_LOADER_COMPRESS_XZ=y$/m;
const SMALL_FIRMWARE_BYTES = 16 * 1024;

/** `viver iso --boot DIR` takes it along (kit/iso/boot-files.ts). */
const KEY_ARCHIVE = 'field-key.cpio';

/** What the kernel takes beside the archive, which may fill half of the memory. */
const KERNEL_MIB = 32;

export interface InitrdRequest {
  /** A root with `lib/modules/VERSION`, and `lib/firmware` when the modules need some: `/`, or a directory. */
  readonly tree: string;
  /** As in uname -r; without it the newest that the tree has. */
  readonly kernel?: string;
  /** The file to be made; appears whole or not at all. */
  readonly output: string;
  /** A file for the first stage of a boot with Secure Boot by network; not made without it. */
  readonly firstStage?: string;
  readonly compression?: Compression;
  /** Of zstd, 1 to 22; DEFAULT_LEVEL. */
  readonly level?: number;
  /** Further trees with `lib/firmware`. */
  readonly firmware?: readonly string[];
  /** Directories whose contents are laid over the initrd. */
  readonly overlays?: readonly string[];
  /** This VIVER's own unless given. */
  readonly kit?: KitFiles;
  readonly signal?: AbortSignal;
  /** Modules done, and how many there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface MadeInitrd {
  readonly kernel: string;
  readonly sizeBytes: number;
  readonly modules: number;
  readonly firmwareFiles: number;
  /** Of a machine that boots it, as the initrd says it when there is less. */
  readonly memoryMib: number;
  /** The archive with the field's secret, which only boot media carry: it lies beside the output. */
  readonly keyArchive: string | undefined;
  /** Such an archive that lies there although this kit has no secret: of an earlier initrd. */
  readonly otherKey: string | undefined;
}

/**
 * Makes the initrd for a kernel of a tree. The same inputs give the same bytes; times are SOURCE_DATE_EPOCH or 1970. Starts
 * depmod (kmod), and xz where the tree has something packed by it.
 * @throws Error saying what the tree or the kit lacks
 */
export async function makeInitrd(request: InitrdRequest): Promise<MadeInitrd> {
  const { compression = 'zstd', level = DEFAULT_LEVEL, onProgress = () => {} } = request;
  const signal = request.signal ?? new AbortController().signal;
  const kit = request.kit ?? findKit();
  const tree = resolve(request.tree);
  const output = resolve(request.output);
  const partial = partialName(output);
  const modules = findModules(tree, request.kernel);
  const work = mkdtempSync(join(tmpdir(), 'viver-initrd-'));
  try {
    const laid = join(work, 'modules');
    const { count, firmware } = await layModules({
      ...{ kit, modules, list: 'modules.list', uncompressed: 'uncompressed.list' },
      ...{ into: laid, level, signal, onProgress },
    });
    const entries = baseEntries(kit, request.overlays ?? []);
    addTree(entries, laid);
    const trees = [tree, ...(request.firmware ?? []).map((each) => resolve(each))];
    const files = firmwareFiles(trees, firmware, join(kit.tables, 'firmware.list'));
    const packs = XZ_FIRMWARE.test(kernelConfig(tree, modules.version));
    for (const [path, source] of files) {
      const isSmall = packs === false || /\.(xz|zst)$/.test(path) || statSync(source).size <= SMALL_FIRMWARE_BYTES;
      const packed = isSmall ? undefined : await xzFirmware(kit, source, join(work, 'firmware', path));
      addEntry(entries, packed === undefined ? path : `${path}.xz`, fileEntry(packed ?? source));
    }
    const memoryMib = 2 * unpackedMib(entries) + KERNEL_MIB;
    addEntry(entries, 'etc/viver/memory-needed', { kind: 'text', text: `${memoryMib}\n` });
    const seconds = sourceDate() ?? 0;
    await writeCompressed(partial, bothArchives(entries, seconds), { kit, compression, level, signal });
    if (request.firstStage !== undefined)
      await makeFirstStage({ kit, modules, output: resolve(request.firstStage), level, signal });
    const keyPlace = join(dirname(output), KEY_ARCHIVE);
    const keyArchive = await writeKeyArchive(kit, keyPlace, seconds);
    const otherKey = keyArchive === undefined && existsSync(keyPlace) ? keyPlace : undefined;
    const { size } = await stat(partial);
    await rename(partial, output);
    const { version } = modules;
    return {
      kernel: version,
      sizeBytes: size,
      modules: count,
      firmwareFiles: files.size,
      memoryMib,
      keyArchive,
      otherKey,
    };
  } finally {
    await rm(work, { recursive: true, force: true });
    await rm(partial, { force: true });
  }
}

/** All but modules and firmware. */
function baseEntries(kit: KitFiles, overlays: readonly string[]): TreeEntries {
  const entries: TreeEntries = new Map();
  for (const directory of DIRECTORIES) addEntry(entries, directory, { kind: 'directory' });
  addTree(entries, kit.programs, (path) => path !== 'init');
  // Of the tables only what lies in directories: the lists themselves are for who makes an initrd.
  const isTable = (path: string): boolean => !path.includes('/') && !statSync(join(kit.tables, path)).isDirectory();
  const isLeftOut = (path: string): boolean => path.endsWith('.gitkeep') || `/${path}` === FIELD_KEY || isTable(path);
  addTree(entries, kit.tables, (path) => !isLeftOut(path));
  addEntry(entries, 'init', fileEntry(kit.executable));
  addEntry(entries, 'usr/bin/viver', { kind: 'link', target: '../../init' });
  // systemd hands the machine over to /run/initramfs/shutdown at its end.
  addEntry(entries, 'shutdown', { kind: 'link', target: 'init' });
  for (const overlay of overlays) addTree(entries, resolve(overlay));
  return entries;
}

/** Files of lib/firmware in these trees, by path in the archive: what the modules name, and what the rows choose. */
function firmwareFiles(trees: readonly string[], named: readonly string[], list: string): Map<string, string> {
  const rows = listRows(readFileSync(list, 'utf8'));
  const found = new Map<string, string>();
  for (const tree of trees) {
    const directory = inTree(tree, '/lib/firmware');
    if (directory === undefined) continue;
    const chosen = rows.flatMap((glob) => globSync(glob, { cwd: directory }));
    for (const file of new Set([...named, ...chosen])) {
      for (const name of [file, `${file}.xz`, `${file}.zst`]) {
        const source = inTree(tree, join('/lib/firmware', name));
        const path = relative('/', join('/lib/firmware', name));
        if (source !== undefined && statSync(source).isFile() && path.startsWith('lib/firmware/'))
          found.set(path, source);
      }
    }
  }
  return new Map([...found].sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** The options that a tree's kernel was built with; empty where it does not say. */
function kernelConfig(tree: string, version: string): string {
  const path = [`/boot/config-${version}`, `/lib/modules/${version}/config`]
    .map((place) => inTree(tree, place))
    .find((place) => place !== undefined);
  return path === undefined ? '' : readFileSync(path, 'utf8');
}

async function xzFirmware(kit: KitFiles, source: string, copy: string): Promise<string> {
  mkdirSync(dirname(copy), { recursive: true });
  await copyFile(source, copy);
  await chmod(copy, 0o644);
  const { command, args } = kitTool(kit, 'xz', 'xz-utils');
  await promisify(execFile)(command, [...args, '-T1', '--check=crc32', copy]);
  return `${copy}.xz`;
}

/** A secret: the initrd is served to whoever asks, so it goes into an archive of its own. */
async function writeKeyArchive(kit: KitFiles, path: string, mtimeSeconds: number): Promise<string | undefined> {
  const key = join(kit.tables, FIELD_KEY);
  if (!existsSync(key)) return undefined;
  const entry = { name: relative('/', FIELD_KEY), mode: 0o100400, mtimeSeconds, data: readFileSync(key) };
  const partial = partialName(path);
  try {
    await writeFile(partial, Buffer.concat([...cpioArchive([entry])]), { mode: 0o600 });
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
  return path;
}
