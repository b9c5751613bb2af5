import { relative } from 'node:path';
import type { ModuleIndex } from '../../hardware/module-index.ts';
import { planModules } from '../../hardware/plan.ts';
import { listRows } from './list-rows.ts';

/** What initrd/early-modules.c reads, in `/lib/modules/VERSION`. */
export const EARLY_TABLE = 'modules.early';

/**
 * The table of initrd/early-modules.c: a line `PATTERN PATH PARAMETERS` for each module that a row of the list names and
 * what it depends on, in the order in which they can be loaded. Modules that are not there, built in, or compressed are
 * left out with what needs them: /init loads those.
 * @param list the text of initrd/early.list: rows of a pattern of PCI modaliases, or `*`, and names
 * @param index of the modules that come along, as /init will read it
 * @param directory that of `index`; the paths are relative to it
 */
export function earlyModules(list: string, index: ModuleIndex, directory: string): string {
  const lines = listRows(list).flatMap((row) => {
    const [pattern = '', ...names] = row.split(/\s+/);
    const { modules } = planModules(
      names.map((name) => ({ name, reason: 'the list' })),
      index,
      { weakdeps: true },
    );
    const leftOut = new Set<string>();
    return modules.flatMap(({ name, path, parameters, needs }) => {
      if (path.endsWith('.ko') && !needs.some((need) => leftOut.has(need)))
        return `${pattern} ${relative(directory, path)} ${parameters}\n`;
      leftOut.add(name);
      return [];
    });
  });
  return lines.join('');
}
