import { fnmatch, literalLength } from './fnmatch.ts';
import { normalizeAlias } from './module-name.ts';

export interface Alias {
  readonly pattern: string;
  readonly module: string;
}

/**
 * `modules.alias` as text: lines `alias PATTERN MODULE`. A line that is none, also one whose brackets do not pair
 * (depmod leaves those out of its index), gives a line in `problems` and is passed over.
 * @param text read as latin1, so that a character is a byte
 * @param name the file's name, for `problems`
 */
export function parseAliases(text: string, name: string, problems: string[]): Alias[] {
  const aliases: Alias[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.split(/[ \t]+/);
    if (line === '' || line.startsWith('#')) continue;
    const [keyword, raw, module] = words;
    const pattern = keyword === 'alias' && raw !== undefined ? normalizeAlias(raw) : undefined;
    if (pattern === undefined || module === undefined || module === '' || words.length !== 3) {
      problems.push(`${name}:${index + 1}: no alias line: '${line.slice(0, 60)}'`);
    } else {
      aliases.push({ pattern, module: module.replaceAll('-', '_') });
    }
  }
  if (text !== '' && !text.endsWith('\n')) problems.push(`${name}: does not end with a newline: cut short?`);
  return aliases;
}

/**
 * `modules.builtin.modinfo`: NUL-ended `module.key=value` of the modules built into the kernel; their aliases.
 * Source: scripts/mod/modpost.c, Documentation/kbuild/kbuild.rst.
 */
export function parseBuiltinAliases(text: string): Alias[] {
  const aliases: Alias[] = [];
  for (const entry of text.split('\0')) {
    const [, module, raw] = /^([^.]+)\.alias=(.+)$/s.exec(entry) ?? [];
    const pattern = raw === undefined ? undefined : normalizeAlias(raw);
    if (module !== undefined && pattern !== undefined) aliases.push({ pattern, module });
  }
  return aliases;
}

/** Looks aliases up without depmod's index: by their literal beginning, in the order of the file. */
export class AliasList {
  readonly #byLiteral = new Map<string, { readonly alias: Alias; readonly order: number }[]>();
  readonly #lengths: readonly number[];

  constructor(aliases: readonly Alias[]) {
    const lengths = new Set<number>();
    for (const [order, alias] of aliases.entries()) {
      const length = literalLength(alias.pattern);
      const literal = alias.pattern.slice(0, length);
      lengths.add(length);
      const list = this.#byLiteral.get(literal);
      if (list === undefined) this.#byLiteral.set(literal, [{ alias, order }]);
      else list.push({ alias, order });
    }
    this.#lengths = [...lengths].sort((a, b) => a - b);
  }

  /** The modules of every pattern that matches `key` (normalised). */
  searchWild(key: string): string[] {
    return this.#lengths
      .filter((length) => length <= key.length)
      .flatMap((length) => this.#byLiteral.get(key.slice(0, length)) ?? [])
      .filter(({ alias }) => fnmatch(alias.pattern, key))
      .sort((a, b) => a.order - b.order)
      .map(({ alias }) => alias.module);
  }
}
