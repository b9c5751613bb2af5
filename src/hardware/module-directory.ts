import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type ConfigFile, configOfCommandLine, parseModprobeConfig } from './modprobe-config.ts';
import { type ModuleFiles, type ModuleIndex, moduleIndex } from './module-index.ts';

/** Where modprobe.d files are looked for; of two with one name the earlier counts. Source: libkmod/libkmod.c. */
export const MODPROBE_PATHS: readonly string[] = [
  '/etc/modprobe.d',
  '/run/modprobe.d',
  '/usr/local/lib/modprobe.d',
  '/lib/modprobe.d',
];

/** The files one of which a module directory must have to be of any use. */
const KNOWN_BY = ['modules.dep.bin', 'modules.dep', 'modules.alias', 'modules.pcimap', 'modules.usbmap'];

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function moduleFiles(directory: string): ModuleFiles {
  return {
    directory,
    text: (name) => unlessMissing(() => readFileSync(join(directory, name), 'latin1')),
    bytes: (name) => unlessMissing(() => readFileSync(join(directory, name))),
  };
}

/** The configuration files under `paths` (directories or files), in kmod's order: by name. */
export function readConfigFiles(directory: string, paths: readonly string[]): ConfigFile[] {
  const byName = new Map(['modules.softdep', 'modules.weakdep'].map((name) => [name, join(directory, name)]));
  for (const path of paths) {
    const isDirectory = unlessMissing(() => statSync(path).isDirectory());
    if (isDirectory === undefined) continue;
    const names = isDirectory ? readdirSync(path).filter((name) => /^[^.].*\.(conf|alias)$/.test(name)) : [''];
    for (const name of names) {
      const file = join(path, name);
      const key = name === '' ? path.slice(path.lastIndexOf('/') + 1) : name;
      if (!byName.has(key)) byName.set(key, file);
    }
  }
  const sorted = [...byName].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.flatMap(([, name]) => {
    const text = unlessMissing(() => readFileSync(name, 'latin1'));
    return text === undefined ? [] : [{ name, text }];
  });
}

/**
 * Opens `/lib/modules/VERSION`.
 * @param directory that directory
 * @param options `configPaths`: modprobe.d directories and files, MODPROBE_PATHS unless given; `cmdline`: the kernel's
 *   command line, for `module.parameter=value` and blacklists; `config`: further configuration, read after the files
 * @throws Error saying what is missing: the directory itself (also behind a dangling link), or depmod's files
 */
export function readModuleIndex(
  directory: string,
  options: {
    readonly configPaths?: readonly string[];
    readonly cmdline?: string;
    readonly config?: readonly ConfigFile[];
  } = {},
): ModuleIndex {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (cause) {
    const why = isMissing(cause) ? 'no such directory (a dangling link?)' : 'cannot be read';
    throw new Error(`modules of ${directory}: ${why}`, { cause });
  }
  if (!KNOWN_BY.some((name) => names.includes(name))) {
    throw new Error(
      names.includes('kernel')
        ? `modules of ${directory}: no modules.dep beside kernel/: run depmod first`
        : `modules of ${directory}: no modules.dep, modules.alias or modules.pcimap: not a /lib/modules/VERSION directory`,
    );
  }
  const problems: string[] = [];
  const files = [
    ...(options.config ?? []),
    ...readConfigFiles(directory, options.configPaths ?? MODPROBE_PATHS),
    configOfCommandLine(options.cmdline ?? ''),
  ];
  return moduleIndex(moduleFiles(directory), parseModprobeConfig(files, problems), problems);
}
