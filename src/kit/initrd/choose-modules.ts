import { readFileSync } from 'node:fs';
import { join, matchesGlob, relative } from 'node:path';
import { readModuleIndex } from '../../hardware/module-directory.ts';
import { moduleNameOfPath } from '../../hardware/module-name.ts';
import { planModules } from '../../hardware/plan.ts';
import { BOOT_CONFIG } from '../../hardware/requested-modules.ts';
import { listRows } from './list-rows.ts';

/**
 * The module files that the rows of a list choose, with all they depend on: paths relative to the directory, sorted.
 * @param directory `/lib/modules/VERSION` of the tree, as an absolute path
 * @param list a file such as initrd/modules.list: names, or globs below `kernel/`
 * @throws Error when the directory is none of modules, or no row chooses one
 */
export function chooseModules(directory: string, list: string): string[] {
  const files = readFileSync(join(directory, 'modules.dep'), 'utf8')
    .split('\n')
    .flatMap((line) => line.split(':')[0] || []);
  const names = listRows(readFileSync(list, 'utf8')).flatMap((row) =>
    row.includes('/') ? files.filter((file) => matchesGlob(file, `kernel/${row}`)).map(moduleNameOfPath) : [row],
  );
  // This machine's own modprobe.d says nothing of the machines that will boot.
  const index = readModuleIndex(directory, { configPaths: [], config: [BOOT_CONFIG] });
  const plan = planModules(
    [...new Set(names)].map((name) => ({ name, reason: 'the list' })),
    index,
    { everything: true, weakdeps: true },
  );
  if (plan.modules.length === 0) throw new Error(`no row of ${list} chooses a module of ${directory}`);
  return plan.modules.map((module) => relative(directory, module.path)).sort();
}
