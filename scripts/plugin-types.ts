/**
 * Writes initrd/etc/RUNES/runes.d.ts, the types for plugins of one's own, out of the sources' types: what a plugin can
 * reach from definePlugin and nothing else.
 * usage: node scripts/plugin-types.ts [OUT]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { API_VERSION } from '../src/runes/engine/plugin.ts';

const root = join(import.meta.dirname, '..');
const OUT = join(root, 'initrd/etc/RUNES/runes.d.ts');
const ENTRY = 'src/runes/engine/plugin.ts';
/** What plugins name, each with all it is made of. */
const WANTED = ['definePlugin', 'Plugin', 'Context', 'Interfaces'];

const HEAD = `// RUNES, API version ${API_VERSION}: the types for plugins of one's own. Made of VIVER's sources by
// scripts/plugin-types.ts; VIVER itself does not read this file. A plugin needs nothing of it to run. For an editor or
// tsc: \`/// <reference path="…/runes.d.ts" />\` at the top of a plugin, and @types/node.

/** In every plugin file, without an import. */
declare const definePlugin: typeof import('viver:runes').definePlugin;

/** \`import type { Context } from 'viver:runes'\`; an interface of one's own is added by declaring the module again. */
declare module 'viver:runes' {
`;

interface Declared {
  readonly file: string;
  readonly name: string;
  readonly text: string;
}

/** The declarations of all files that the entry is made of, in the compiler's own words. */
function emitDeclarations(directory: string): string {
  const out = join(directory, 'out');
  const configuration = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      ...{ noEmit: false, declaration: true, emitDeclarationOnly: true },
      ...{ outDir: out, rootDir: root, typeRoots: [join(root, 'node_modules/@types')] },
    },
    files: [join(root, ENTRY)],
    include: [],
  };
  const path = join(directory, 'tsconfig.json');
  writeFileSync(path, JSON.stringify(configuration));
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', path], { stdio: ['ignore', 'inherit', 'inherit'] });
  return out;
}

/** Reads a declaration file: what it declares, and from where it takes other names. */
function readDeclarations(file: string): {
  readonly own: Map<string, Declared>;
  readonly imports: Map<string, string>;
} {
  const text = readFileSync(file, 'utf8');
  const imports = new Map<string, string>();
  for (const [, names = '', from = ''] of text.matchAll(/^import (?:type )?\{([^}]*)\} from '(\.[^']+)';$/gm))
    for (const name of names.split(','))
      imports.set(name.replace(/\btype\b/, '').trim(), resolve(dirname(file), from.replace(/\.ts$/, '.d.ts')));
  const own = new Map<string, Declared>();
  // A declaration is at the margin, with its comment before it, and ends where the next one begins.
  const pieces = text
    .replace(/^import .*;$/gm, '')
    .split(/^(?=\/\*\*)|(?<!\*\/\n)^(?=(?:export |declare |interface |type |const ))/m);
  for (const piece of pieces) {
    const name = /^(?:export )?(?:declare )?(?:interface|type|function|class|const) (\w+)/m.exec(piece)?.[1];
    if (name !== undefined) own.set(name, { file, name, text: piece.trimEnd() });
  }
  return { own, imports };
}

/** The wanted names and all they mention, each before what mentions it last. */
function reach(entry: string): readonly Declared[] {
  const files = new Map<string, ReturnType<typeof readDeclarations>>();
  const found = new Map<string, Declared>();
  const visit = (file: string, name: string): void => {
    const known = files.get(file) ?? readDeclarations(file);
    files.set(file, known);
    const declared = known.own.get(name);
    const elsewhere = known.imports.get(name);
    if (declared === undefined) {
      if (elsewhere !== undefined) visit(elsewhere, name);
      return;
    }
    const other = found.get(name);
    if (other !== undefined) {
      if (other.file !== file) throw new Error(`${name} is declared in ${other.file} and in ${file}`);
      return;
    }
    found.set(name, declared);
    const code = declared.text.replace(/\/\*\*[\s\S]*?\*\//g, '').replace(/'[^']*'/g, '');
    for (const [word] of code.matchAll(/\b[A-Za-z_]\w*\b/g)) if (word !== name) visit(file, word);
  };
  for (const name of WANTED) visit(entry, name);
  return [...found.values()];
}

const work = mkdtempSync(join(root, 'build/plugin-types-'));
try {
  const declared = reach(join(emitDeclarations(work), relative(root, join(root, ENTRY)).replace(/\.ts$/, '.d.ts')));
  const body = declared
    .map(({ text }) => text.replace(/^export declare /gm, 'export ').replace(/^(?!\s*$)/gm, '  '))
    .join('\n\n');
  const format = ['format', '--stdin-file-path=initrd/etc/RUNES/runes.d.ts'];
  const text = execFileSync(join(root, 'node_modules/.bin/biome'), format, { cwd: root, input: `${HEAD}${body}\n}\n` });
  writeFileSync(process.argv[2] ?? OUT, text);
} finally {
  rmSync(work, { recursive: true });
}
