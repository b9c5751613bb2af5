import { AliasList, parseAliases, parseBuiltinAliases } from './alias-text.ts';
import { fnmatch } from './fnmatch.ts';
import type { ModprobeConfig, Softdep } from './modprobe-config.ts';
import { moduleNameOfPath, normalizeAlias } from './module-name.ts';
import { PciMap } from './pcimap.ts';
import { TrieIndex } from './trie-index.ts';
import { UsbMap } from './usbmap.ts';

/** A module's file, and by name the modules it needs first: all of them, not only the nearest, the farthest last. */
export interface ModuleFile {
  readonly name: string;
  /** Absolute path. */
  readonly path: string;
  readonly dependencies: readonly string[];
}

/** How the files of a module directory are read: undefined when a file is not there. */
export interface ModuleFiles {
  readonly directory: string;
  text(name: string): string | undefined;
  bytes(name: string): Buffer | undefined;
}

interface AliasLookup {
  searchWild(key: string): string[];
}

/** What a kernel's modules are and which devices they drive. */
export interface ModuleIndex {
  readonly directory: string;
  readonly config: ModprobeConfig;
  /** Lines of the files that were passed over, one readable line each; grows as the files are read. */
  readonly problems: readonly string[];
  /** The modules for an alias or module name, named and ordered as `modprobe -R` prints them. */
  lookup(alias: string): readonly string[];
  file(name: string): ModuleFile | undefined;
  isBuiltin(name: string): boolean;
  softdep(name: string): Softdep | undefined;
  /** What a module may ask the kernel for while it looks at its device; modprobe does not load it beforehand. */
  weakdeps(name: string): readonly string[];
}

/** Reads on the first use only: most boots never ask for symbols, and a machine has few buses. */
function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** `modules.dep` without its index: the line of each module. The depmod of Linux 2.4 continues lines by a backslash. */
function parseDependencies(text: string, problems: string[]): Map<string, string> {
  const lines = new Map<string, string>();
  let number = 0;
  let line = '';
  for (const row of text.split('\n')) {
    number++;
    line += row.endsWith('\\') ? `${row.slice(0, -1)} ` : row;
    if (row.endsWith('\\')) continue;
    const whole = line;
    line = '';
    if (whole === '' || whole.startsWith('#')) continue;
    const colon = whole.indexOf(':');
    const name = colon < 0 ? '' : moduleNameOfPath(whole.slice(0, colon));
    if (name === '') problems.push(`modules.dep:${number}: no 'path:' line: '${whole.slice(0, 60)}'`);
    else if (!lines.has(name)) lines.set(name, whole);
  }
  if (line !== '') problems.push(`modules.dep:${number}: ends within a line that goes on`);
  return lines;
}

/**
 * One table from all that a `/lib/modules/VERSION` has: modules.dep, modules.alias, modules.symbols, modules.builtin and
 * modules.builtin.modinfo, each from depmod's `.bin` index if that is there (it opens at once; the text of a full
 * kernel takes a tenth of a second to parse), else from the text; and modules.pcimap, modules.usbmap of old kernels.
 * Look-ups throw IndexFormatError if an index is damaged.
 */
export function moduleIndex(files: ModuleFiles, config: ModprobeConfig, problems: string[] = []): ModuleIndex {
  const aliasLookup = (name: string): AliasLookup | undefined => {
    const bytes = files.bytes(`${name}.bin`);
    if (bytes !== undefined) return new TrieIndex(bytes, `${files.directory}/${name}.bin`);
    const text = files.text(name);
    return text === undefined ? undefined : new AliasList(parseAliases(text, name, problems));
  };
  const aliases = lazy(() => aliasLookup('modules.alias'));
  const symbols = lazy(() => aliasLookup('modules.symbols'));
  const builtinAliases = lazy((): AliasLookup | undefined => {
    const indexed = aliasLookup('modules.builtin.alias');
    if (indexed !== undefined) return indexed;
    const text = files.text('modules.builtin.modinfo');
    return text === undefined ? undefined : new AliasList(parseBuiltinAliases(text));
  });
  const dependencies = lazy((): ((name: string) => string | undefined) => {
    const bytes = files.bytes('modules.dep.bin');
    if (bytes !== undefined) {
      const index = new TrieIndex(bytes, `${files.directory}/modules.dep.bin`);
      return (name) => index.search(name);
    }
    const lines = parseDependencies(files.text('modules.dep') ?? '', problems);
    return (name) => lines.get(name);
  });
  const builtins = lazy(() => {
    const lines = (files.text('modules.builtin') ?? '').split('\n');
    return new Set(lines.filter((line) => line !== '').map(moduleNameOfPath));
  });
  const pcimap = lazy(() => new PciMap(files.text('modules.pcimap') ?? '', 'modules.pcimap', problems));
  const usbmap = lazy(() => new UsbMap(files.text('modules.usbmap') ?? '', 'modules.usbmap', problems));

  /** kmod's order, the first that knows anything answers: kmod_module_new_from_lookup in libkmod/libkmod-module.c. */
  const sources: readonly ((key: string) => string[])[] = [
    (key) => config.aliases.filter(({ pattern }) => fnmatch(pattern, key)).map(({ module }) => module),
    (key) => (!key.includes(':') && dependencies()(key) !== undefined ? [key] : []),
    (key) => (key.startsWith('symbol:') ? (symbols()?.searchWild(key) ?? []) : []),
    (key) => (config.commands.includes(key) ? [key] : []),
    (key) => aliases()?.searchWild(key) ?? [],
    (key) => (builtins().has(key) ? [key] : []),
    (key) => builtinAliases()?.searchWild(key) ?? [],
  ];

  const fromMaps = (alias: string): string[] => {
    const map = alias.startsWith('pci:') ? pcimap : alias.startsWith('usb:') ? usbmap : undefined;
    return map === undefined ? [] : map().lookup(alias).map(moduleNameOfPath);
  };

  const knownFiles = new Map<string, ModuleFile | undefined>();
  const file = (name: string): ModuleFile | undefined => {
    if (knownFiles.has(name)) return knownFiles.get(name);
    const line = dependencies()(name);
    const colon = line?.indexOf(':') ?? -1;
    const path = line?.slice(0, colon) ?? '';
    const named = (line?.slice(colon + 1) ?? '').split(/[ \t]+/).filter((word) => word !== '');
    const needed = new Set(named.map(moduleNameOfPath));
    const found =
      colon < 1
        ? undefined
        : { name, path: path.startsWith('/') ? path : `${files.directory}/${path}`, dependencies: [] as string[] };
    // Before its own dependencies are looked at: a table that goes round ends here.
    knownFiles.set(name, found);
    if (found === undefined) return undefined;
    // Tables that name only the nearest (2.4, by hand): what those need is needed as well.
    for (const dependency of needed) for (const further of file(dependency)?.dependencies ?? []) needed.add(further);
    needed.delete(name);
    found.dependencies.push(...needed);
    return found;
  };

  return {
    directory: files.directory,
    config,
    problems,
    lookup(alias) {
      const key = normalizeAlias(alias);
      if (key === undefined) return [];
      const found = sources.reduce<string[]>((known, source) => (known.length > 0 ? known : source(key)), []);
      const mapped = fromMaps(alias).filter((name) => !found.includes(name));
      return mapped.length > 0 ? [...new Set([...found, ...mapped])] : found;
    },
    file,
    isBuiltin: (name) => builtins().has(name),
    softdep: (name) => config.softdeps.get(name),
    weakdeps: (name) => config.weakdeps.get(name) ?? [],
  };
}
