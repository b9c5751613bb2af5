import type { ModuleIndex } from './module-index.ts';
import { normalizeAlias } from './module-name.ts';

/** What a name comes to: a module that can be loaded, or why not. */
export interface Resolved {
  readonly module: string;
  readonly verdict: 'load' | 'builtin' | 'blacklisted' | 'missing';
  readonly reason: string;
}

/** An alias may lead to an alias; nobody writes longer chains, and one that goes round must end. */
const MAX_ALIAS_STEPS = 8;

function forbidden(module: string, index: ModuleIndex): string | undefined {
  const where = index.config.forbidden.get(module);
  return where === undefined ? undefined : `forbidden by ${where}`;
}

function resolveFile(module: string, index: ModuleIndex, by: 'device' | 'name'): Resolved | undefined {
  const file = index.file(module);
  if (file === undefined) return undefined;
  const blacklisted = by === 'device' ? index.config.blacklist.get(module) : undefined;
  const refused = forbidden(module, index) ?? (blacklisted === undefined ? undefined : `blacklisted by ${blacklisted}`);
  if (refused !== undefined) return { module, verdict: 'blacklisted', reason: refused };
  for (const dependency of file.dependencies) {
    const why = forbidden(dependency, index);
    if (why !== undefined) return { module, verdict: 'blacklisted', reason: `needs ${dependency}, ${why}` };
    if (index.file(dependency) === undefined) {
      return { module, verdict: 'missing', reason: `needs ${dependency}, which is not in ${index.directory}` };
    }
  }
  return { module, verdict: 'load', reason: '' };
}

/** What a module of this name is; undefined: no table knows one. */
function resolveNamed(module: string, index: ModuleIndex, by: 'device' | 'name'): Resolved | undefined {
  return (
    resolveFile(module, index, by) ??
    (index.isBuiltin(module) ? { module, verdict: 'builtin', reason: 'built into the kernel' } : undefined)
  );
}

/** What aliases lead to that stand for no module: modprobe.conf(5), modules.conf(5) of Linux 2.4. */
const NOTHING = new Set(['off', 'null']);

/**
 * What a module name or alias comes to, in kmod's order: an alias of the configuration counts before the module of that
 * name, and one of modules.alias before what is built in. Unlike kmod, aliases of aliases are followed.
 * @param by a blacklist (modprobe.d) refuses what a device asks for, not what is asked for by name
 */
export function resolveModule(name: string, index: ModuleIndex, by: 'device' | 'name'): Resolved[] {
  const found = new Map<string, Resolved>();
  const seen = new Set<string>();
  const follow = (alias: string, steps: number): void => {
    const key = normalizeAlias(alias) ?? alias;
    if (seen.has(key)) return;
    seen.add(key);
    const names = index.lookup(key);
    for (const module of names) {
      const resolved =
        resolveNamed(module, index, by) ??
        (NOTHING.has(module)
          ? ({ module: name, verdict: 'blacklisted', reason: `alias ${alias} ${module}` } as const)
          : undefined);
      if (resolved !== undefined) found.set(resolved.module, resolved);
      else if (steps < MAX_ALIAS_STEPS && module !== key) follow(module, steps + 1);
    }
    if (names.length > 0) return;
    const resolved = resolveNamed(key, index, by);
    found.set(key, resolved ?? { module: key, verdict: 'missing', reason: `no such module in ${index.directory}` });
  };
  follow(name, 0);
  if (found.size === 0) found.set(name, { module: name, verdict: 'missing', reason: 'its aliases lead to no module' });
  return [...found.values()];
}
