/**
 * Prints the module files (relative to MODULES) that the rows of a list choose, with all they depend on, sorted.
 * usage: node scripts/choose-modules.ts MODULES LIST
 */
import { readFileSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';

const [modules, list] = process.argv.slice(2);
if (modules === undefined || list === undefined) throw new Error('usage: choose-modules.ts MODULES LIST');

const rows = readFileSync(list, 'utf8')
  .split('\n')
  .map((row) => row.replace(/#.*/, '').trim())
  .filter((row) => row !== '');

const canonical = (name: string) => name.replaceAll('-', '_');
const nameOf = (file: string) => canonical(file.replace(/^.*\//, '').replace(/\.ko(\.\w+)?$/, ''));

/** modules.dep: `FILE: FILE…`, everything FILE needs, directly or not. */
const needs = new Map<string, string[]>();
for (const line of readFileSync(join(modules, 'modules.dep'), 'utf8').split('\n')) {
  const colon = line.indexOf(':');
  if (colon > 0) needs.set(line.slice(0, colon), line.slice(colon + 1).split(' ').filter(Boolean));
}
const fileOf = new Map([...needs.keys()].map((file) => [nameOf(file), file]));

/** modules.softdep: `softdep NAME pre: NAME… post: NAME…`. */
const softdeps = new Map<string, string[]>();
for (const line of readFileSync(join(modules, 'modules.softdep'), 'utf8').split('\n')) {
  const [word, name, ...rest] = line.split(/\s+/);
  if (word === 'softdep' && name !== undefined)
    softdeps.set(canonical(name), rest.filter((item) => !item.endsWith(':')).map(canonical));
}

const chosen = new Set<string>();
function choose(file: string): void {
  if (chosen.has(file)) return;
  chosen.add(file);
  for (const needed of needs.get(file) ?? []) choose(needed);
  for (const soft of softdeps.get(nameOf(file)) ?? []) {
    const found = fileOf.get(soft);
    if (found !== undefined) choose(found);
  }
}

for (const row of rows) {
  if (row.includes('/')) {
    for (const file of needs.keys()) if (matchesGlob(file, `kernel/${row}`)) choose(file);
  } else {
    const file = fileOf.get(canonical(row));
    if (file !== undefined) choose(file);
  }
}
if (chosen.size === 0) throw new Error(`no row of ${list} chooses a module of ${modules}`);
process.stdout.write([...chosen].sort().map((file) => `${file}\n`).join(''));
