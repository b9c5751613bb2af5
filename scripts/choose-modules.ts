/**
 * Prints the module files (relative to MODULES) that the rows of a list choose, with all they depend on, sorted.
 * usage: node scripts/choose-modules.ts MODULES LIST
 */
import { readFileSync } from 'node:fs';
import { matchesGlob, relative, resolve } from 'node:path';
import { readModuleIndex } from '../src/hardware/module-directory.ts';
import { moduleNameOfPath } from '../src/hardware/module-name.ts';
import { planModules } from '../src/hardware/plan.ts';
import { BOOT_CONFIG } from '../src/hardware/requested-modules.ts';

const [modules, list] = process.argv.slice(2);
if (modules === undefined || list === undefined) throw new Error('usage: choose-modules.ts MODULES LIST');
const directory = resolve(modules);

const rows = readFileSync(list, 'utf8')
  .split('\n')
  .map((row) => row.replace(/#.*/, '').trim())
  .filter((row) => row !== '');
const files = readFileSync(`${directory}/modules.dep`, 'utf8')
  .split('\n')
  .flatMap((line) => line.split(':')[0] || []);

const names = rows.flatMap((row) =>
  row.includes('/') ? files.filter((file) => matchesGlob(file, `kernel/${row}`)).map(moduleNameOfPath) : [row],
);
// This machine's own modprobe.d says nothing of the machines that will boot.
const index = readModuleIndex(directory, { configPaths: [], config: [BOOT_CONFIG] });
const plan = planModules(
  [...new Set(names)].map((name) => ({ name, reason: 'the list' })),
  index,
  { everything: true, weakdeps: true },
);
if (plan.modules.length === 0) throw new Error(`no row of ${list} chooses a module of ${modules}`);
const chosen = plan.modules.map((module) => relative(directory, module.path)).sort();
process.stdout.write(chosen.map((file) => `${file}\n`).join(''));
