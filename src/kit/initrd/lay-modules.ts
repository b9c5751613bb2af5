import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { FIRMWARE_TABLE } from '../../hardware/firmware.ts';
import { modinfoValues } from '../../hardware/modinfo.ts';
import { readModuleIndex } from '../../hardware/module-directory.ts';
import { moduleNameOfPath } from '../../hardware/module-name.ts';
import { BOOT_CONFIG } from '../../hardware/requested-modules.ts';
import { readModule } from '../../linux/module.ts';
import { chooseModules } from './choose-modules.ts';
import { EARLY_TABLE, earlyModules } from './early-modules.ts';
import type { KernelModules } from './find-modules.ts';
import { type KitFiles, kitTool } from './kit-files.ts';

/** depmod's and the kernel's own lists that are copied; the others are made anew of the modules that come along. */
const COPIED = ['modules.order', 'modules.builtin', 'modules.builtin.modinfo', 'modules.weakdep'];
/** What nothing reads. */
const UNUSED = ['modules.symbols', 'modules.devname'];
/** So many files one xz unpacks, and so many modules are in memory at a time. */
const BATCH = 64;

export interface LaidModules {
  /** Module files. */
  readonly count: number;
  /** Relative to /lib/firmware, sorted. */
  readonly firmware: readonly string[];
}

export interface LayRequest {
  readonly kit: KitFiles;
  readonly modules: KernelModules;
  /** Of the kit's tables, the one that chooses; and one that says which are not compressed, all of them without it. */
  readonly list: string;
  readonly uncompressed?: string;
  /** The tree that `lib/modules/VERSION` is made in. */
  readonly into: string;
  /** Of zstd, for each module. */
  readonly level: number;
  readonly signal: AbortSignal;
  readonly onProgress: (doneModules: number, totalModules: number) => void;
}

/**
 * Lays out the modules that the lists choose, with depmod's tables for them, the table of the firmware they
 * name, and that of the modules loaded while Node starts. The
 * kernel that unpacks the archive gives it half of the memory: modules are compressed by zstd, each by itself, save those
 * that nearly every boot loads. However a distribution packs its modules, their own bytes, and so their signatures, stay.
 */
export async function layModules(request: LayRequest): Promise<LaidModules> {
  const { kit, modules, list, uncompressed, into, level, signal, onProgress } = request;
  const chosen = chooseModules(modules.directory, join(kit.tables, list));
  const plain = new Set(
    uncompressed === undefined ? chosen : chooseModules(modules.directory, join(kit.tables, uncompressed)),
  );
  const target = join(into, 'lib/modules', modules.version);
  for (const directory of new Set(chosen.map((file) => dirname(file)))) {
    await mkdir(join(target, directory), { recursive: true });
  }
  const firmware = new Map<string, readonly string[]>();
  for (let start = 0; start < chosen.length; start += BATCH) {
    signal.throwIfAborted();
    const batch = chosen.slice(start, start + BATCH);
    const raw = await rawModules(kit, modules.directory, batch, join(into, 'unpacked'));
    await Promise.all(
      raw.map(async ([file, bytes]) => {
        const named = [...new Set(modinfoValues(bytes, 'firmware'))];
        if (named.length > 0) firmware.set(file, named);
        const name = join(target, file.replace(/\.ko(\.\w+)?$/, '.ko'));
        if (plain.has(file)) await writeFile(name, bytes);
        else await writeFile(`${name}.zst`, await zstd(bytes, level));
      }),
    );
    onProgress(start + batch.length, chosen.length);
  }
  for (const table of COPIED) await copyIfThere(join(modules.directory, table), join(target, table));
  await depmod(kit, into, modules.version);
  for (const table of UNUSED) await rm(join(target, table), { force: true });
  const rows = chosen.flatMap((file) => {
    const named = firmware.get(file);
    return named === undefined ? [] : [`${moduleNameOfPath(file)}: ${named.join(' ')}\n`];
  });
  await writeFile(join(target, FIRMWARE_TABLE), rows.join(''));
  const index = readModuleIndex(target, { configPaths: [], config: [BOOT_CONFIG] });
  const early = await readFile(join(kit.tables, 'early.list'), 'utf8');
  await writeFile(join(target, EARLY_TABLE), earlyModules(early, index, target));
  return { count: chosen.length, firmware: [...new Set([...firmware.values()].flat())].sort() };
}

const zstd = (bytes: Uint8Array, level: number): Promise<Buffer> =>
  promisify(zstdCompress)(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
    pledgedSrcSize: bytes.length,
  });

/** Modules' own bytes. Those packed by xz, which Node does not know, by one program for all. */
async function rawModules(
  kit: KitFiles,
  directory: string,
  files: readonly string[],
  work: string,
): Promise<(readonly [file: string, bytes: Uint8Array])[]> {
  const packed = files.filter((file) => file.endsWith('.xz'));
  const unpackedName = (file: string): string => join(work, `${files.indexOf(file)}.ko`);
  if (packed.length > 0) {
    await mkdir(work, { recursive: true });
    for (const file of packed) await copyFile(join(directory, file), `${unpackedName(file)}.xz`);
    const { command, args } = kitTool(kit, 'xz', 'xz-utils');
    await promisify(execFile)(command, [...args, '-d', ...packed.map((file) => `${unpackedName(file)}.xz`)]);
  }
  const raw = await Promise.all(
    files.map(async (file) => {
      const bytes = file.endsWith('.xz') ? await readFile(unpackedName(file)) : readModule(join(directory, file));
      return [file, bytes] as const;
    }),
  );
  await rm(work, { recursive: true, force: true });
  return raw;
}

async function copyIfThere(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

async function depmod(kit: KitFiles, tree: string, version: string): Promise<void> {
  const { command, args } = kitTool(kit, 'depmod', 'kmod');
  // Where modules are, depmod knows from how it was built.
  await mkdir(join(tree, 'usr/lib'), { recursive: true });
  await symlink('../../lib/modules', join(tree, 'usr/lib/modules'));
  await promisify(execFile)(command, [...args, '-b', tree, version], { maxBuffer: 16 << 20 });
}
