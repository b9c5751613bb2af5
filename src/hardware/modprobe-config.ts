import { normalizeAlias, normalizeModuleName } from './module-name.ts';

export interface Softdep {
  readonly pre: readonly string[];
  readonly post: readonly string[];
}

/** What configuration says of modules; names are normalised, lists keep the order of the files. */
export interface ModprobeConfig {
  readonly aliases: readonly { readonly pattern: string; readonly module: string }[];
  /** Module → where it is written. Such a module is not loaded because a device asks for it. */
  readonly blacklist: ReadonlyMap<string, string>;
  /** Module → where it is written. Such a module is not loaded whatever asks for it. */
  readonly forbidden: ReadonlyMap<string, string>;
  readonly options: ReadonlyMap<string, readonly string[]>;
  /** Modules with an install or remove command, in order: kmod finds them by that name. */
  readonly commands: readonly string[];
  readonly softdeps: ReadonlyMap<string, Softdep>;
  /** Module → what it may ask the kernel for while it looks at its device. */
  readonly weakdeps: ReadonlyMap<string, readonly string[]>;
}

/** One file of configuration, or text from elsewhere in the same words. */
export interface ConfigFile {
  readonly name: string;
  readonly text: string;
}

function wordsOf(line: string): string[] {
  return line.split(/[ \t]+/).filter((word) => word !== '');
}

/** Lines with their numbers; a backslash joins a line to the next, before any other character it vanishes, as in kmod. */
function* logicalLines(text: string): Generator<{ readonly line: string; readonly number: number }> {
  let number = 1;
  for (const [whole, line = ''] of text.matchAll(/((?:\\[\s\S]|[^\\\n])*\\?)(?:\n|$)/g)) {
    yield { line: line.replace(/\\([\s\S]|$)/g, (_, next: string) => (next === '\n' ? '' : next)), number };
    number += whole.split('\n').length - 1;
  }
}

/** `pre: a b post: c`; words before `pre:` or `post:` mean nothing, as in kmod. */
export function parseSoftdep(words: readonly string[]): Softdep {
  const lists: Record<'pre' | 'post' | 'none', string[]> = { pre: [], post: [], none: [] };
  let mode: keyof typeof lists = 'none';
  for (const word of words) {
    if (word === 'pre:' || word === 'post:') mode = word === 'pre:' ? 'pre' : 'post';
    else lists[mode].push(word);
  }
  return { pre: lists.pre, post: lists.post };
}

/** An `install` command that only says no: the usual way to forbid a module for good. */
function refuses(command: string): boolean {
  return /^\s*(\/(usr\/)?s?bin\/)?(false|true|:)\b/.test(command);
}

/**
 * modprobe.d(5) files, `modules.softdep`, `modules.weakdep`, and the kernel command line put into the same words. A bad line gives a line
 * in `problems`. Unlike kmod, which takes the first softdep line of a module, all of them count: depmod writes one line
 * for each `MODULE_SOFTDEP`, and before the root is there nobody answers when the kernel asks for what is missing.
 */
export function parseModprobeConfig(files: readonly ConfigFile[], problems: string[]): ModprobeConfig {
  const aliases: { pattern: string; module: string }[] = [];
  const blacklist = new Map<string, string>();
  const forbidden = new Map<string, string>();
  const options = new Map<string, string[]>();
  const commands: string[] = [];
  const softdeps = new Map<string, Softdep>();
  const weakdeps = new Map<string, readonly string[]>();
  const add: Record<string, (name: string, rest: string, where: string) => boolean> = {
    alias: (pattern, rest) => {
      const module = normalizeAlias(wordsOf(rest)[0] ?? '');
      if (module === undefined || module === '') return false;
      aliases.push({ pattern, module });
      return true;
    },
    blacklist: (name, _, where) => {
      if (!blacklist.has(name)) blacklist.set(name, where);
      return true;
    },
    forbid: (name, _, where) => {
      if (!forbidden.has(name)) forbidden.set(name, where);
      return true;
    },
    options: (name, rest) => {
      if (rest === '') return false;
      const value = rest.replaceAll('\t', ' ').trim();
      options.set(name, [...(options.get(name) ?? []), value]);
      return true;
    },
    install: (name, rest, where) => {
      if (rest === '') return false;
      commands.push(name);
      if (refuses(rest)) forbidden.set(name, where);
      return true;
    },
    remove: (name, rest) => {
      if (rest === '') return false;
      commands.push(name);
      return true;
    },
    softdep: (name, rest) => {
      if (rest === '') return false;
      const known = softdeps.get(name);
      const { pre, post } = parseSoftdep(wordsOf(rest));
      softdeps.set(name, { pre: [...(known?.pre ?? []), ...pre], post: [...(known?.post ?? []), ...post] });
      return true;
    },
    weakdep: (name, rest) => {
      weakdeps.set(name, [...(weakdeps.get(name) ?? []), ...wordsOf(rest)]);
      return true;
    },
  };
  for (const { name, text } of files) {
    for (const { line, number } of logicalLines(text)) {
      if (line === '' || line.startsWith('#')) continue;
      const [keyword, rawName] = wordsOf(line);
      if (keyword === undefined) continue;
      const target = rawName === undefined ? undefined : normalizeAlias(rawName);
      const rest = /^[ \t]*\S+[ \t]+\S+[ \t]+(.*)$/s.exec(line)?.[1] ?? '';
      const known = Object.hasOwn(add, keyword) ? add[keyword] : undefined;
      if (known === undefined || target === undefined || !known(target, rest, `${name}:${number}`)) {
        problems.push(`${name}:${number}: not a line of modprobe.d: '${line.slice(0, 60)}'`);
      }
    }
  }
  return { aliases, blacklist, forbidden, options, commands, softdeps, weakdeps };
}

/** Splits the kernel's command line at blanks outside double quotes; the quotes stay. */
export function splitCommandLine(cmdline: string): string[] {
  return cmdline.match(/(?:"[^"]*"?|[^\s"])+/g) ?? [];
}

/**
 * What the kernel command line says of modules, as lines of modprobe.d: `module.parameter[=value]`,
 * `modprobe.blacklist=a,b` (not by alias), and `module_blacklist=` (the kernel refuses them) and
 * `viver.modules.blacklist=` (not at all).
 */
export function configOfCommandLine(cmdline: string): ConfigFile {
  const lines: string[] = [];
  for (const word of splitCommandLine(cmdline)) {
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(word) ?? [];
    const names = value.split(',').filter((item) => item !== '');
    if (name === 'modprobe.blacklist') {
      lines.push(...names.map((item) => `blacklist ${item}`));
    } else if (name === 'module_blacklist' || name === 'viver.modules.blacklist') {
      lines.push(...names.map((item) => `forbid ${item}`));
    } else if (/^"?[\w-]+\.[\w-]+$/.test(name) && !name.startsWith('viver.')) {
      // GRUB passes `module.parameter="a b"` as `"module.parameter=a b"`: the quotes go back around the value.
      const unquoted = name.startsWith('"') ? `${name.slice(1)}="${value.replace(/"$/, '')}"` : word;
      const dot = unquoted.indexOf('.');
      lines.push(`options ${normalizeModuleName(unquoted.slice(0, dot))} ${unquoted.slice(dot + 1)}`);
    }
  }
  return { name: 'kernel command line', text: lines.map((line) => `${line.replaceAll('\\', '\\\\')}\n`).join('') };
}
