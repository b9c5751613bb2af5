import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describeError } from '../../linux/describe-error.ts';
import { BASIC_PLUGINS } from '../basic.ts';
import { type Machine, wordOf } from '../machine.ts';
import { RUNES_DIRECTORY } from '../places.ts';
import type { FixedRole } from './fixed-role.ts';
import { GraphError, type PluginGraph, planGraph } from './graph.ts';
import { type AnyPlugin, API_VERSION, definePlugin } from './plugin.ts';
import { type ChosenRole, chooseRole, pluginsOf, type Role, RolesError, readRoles } from './roles.ts';
import { checkRoles } from './roles-check.ts';

export interface LoadedRunes {
  readonly machine: Machine;
  readonly role: Role;
  readonly why: string;
  /** All that may be, in the order they are tried. */
  readonly roles: readonly Role[];
  readonly graph: PluginGraph;
  /** Files that could not be used, a line each. */
  readonly problems: readonly string[];
}

/** What is wrong with the default export of a plugin file; undefined when it is a plugin. */
export function pluginFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'its default export is no plugin (definePlugin({ … }))';
  const { name, api, provides, requires, uses, prepare, start, startTimeoutMs, stop } = value as Record<
    string,
    unknown
  >;
  if (api !== undefined && api !== API_VERSION)
    return `it is for version ${String(api).slice(0, 20)} of RUNES, and this VIVER has version ${API_VERSION}`;
  if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9-]*$/.test(name)) return 'its name is not of a-z, 0-9 and -';
  for (const [key, list] of Object.entries({ provides, requires, uses })) {
    if (list !== undefined && !(Array.isArray(list) && list.every((item) => typeof item === 'string')))
      return `${key} is no list of names`;
  }
  for (const [key, method] of Object.entries({ prepare, start, stop })) {
    if (method !== undefined && typeof method !== 'function') return `${key} is no function`;
  }
  // longer, and a timer of Node's ends at once
  const isTime = typeof startTimeoutMs === 'number' && startTimeoutMs > 0 && startTimeoutMs < 2 ** 31;
  if (startTimeoutMs !== undefined && !isTime) return 'startTimeoutMs is no time in milliseconds';
  if (prepare === undefined && start === undefined) return 'it has neither prepare nor start';
  return undefined;
}

/** Files of a directory that are plugins: .ts (its types are stripped, not checked), .js, .cjs, .mjs. */
function pluginFiles(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => /^[^.].*\.[cm]?[jt]s$/.test(name) && !name.endsWith('.d.ts'));
  return names.sort().map((name) => join(directory, name));
}

/**
 * Loads a plugin file as it is: the executable has Node's own loader for files on disk, which `import()` there has not.
 * The file finds `definePlugin` as a global.
 * @throws Error that names the file
 */
export function loadPlugin(file: string): AnyPlugin {
  Object.assign(globalThis, { definePlugin });
  let loaded: unknown;
  try {
    loaded = createRequire(file)(file);
  } catch (cause) {
    throw new Error(`plugin ${file}`, { cause });
  }
  const exported = (loaded as { default?: unknown }).default ?? loaded;
  const fault = pluginFault(exported);
  if (fault !== undefined) throw new Error(`plugin ${file}: ${fault}`);
  return exported as AnyPlugin;
}

/** A role that is asked for and is not there must not leave the machine without any: it has the one that fits. */
function chooseOrFall(
  machine: Machine,
  roles: readonly Role[],
  fixed: FixedRole | undefined,
  problems: string[],
): ChosenRole {
  try {
    const chosen = chooseRole(machine, roles, fixed?.name ?? wordOf(machine.commandLine, 'viver.role'));
    return fixed === undefined ? chosen : { ...chosen, why: fixed.why };
  } catch (error) {
    if (!(error instanceof RolesError)) throw error;
    problems.push(describeError(error));
    return chooseRole(machine, roles, undefined);
  }
}

/** What a machine's role says comes before what its own command line says, so that this wins. */
function withWords(machine: Machine, { settings: { words } }: Role): Machine {
  if (words.length === 0) return machine;
  const commandLine = `${words.join(' ')} ${machine.commandLine}`;
  // `addresses` is asked for when it is wanted
  return Object.defineProperties(
    { ...machine, commandLine },
    {
      addresses: Object.getOwnPropertyDescriptor(machine, 'addresses') ?? {},
    },
  );
}

export interface LoadOptions {
  readonly machine: Machine;
  /** Roots that may have /etc/RUNES, `''` for this system; the first that has a file or plugin of a name wins. */
  readonly roots: readonly string[];
  readonly basics?: readonly AnyPlugin[];
  /** The role that was chosen before the switch: it holds after it too. */
  readonly fixed?: FixedRole | undefined;
}

/**
 * The role of this machine and its plugins, in order.
 * @throws RolesError, GraphError before anything is started
 */
export function loadRunes({ machine: found, roots, basics = BASIC_PLUGINS, fixed }: LoadOptions): LoadedRunes {
  const problems: string[] = [];
  const rolesFile = roots.map((root) => join(root, RUNES_DIRECTORY, 'roles')).find((path) => existsSync(path));
  const read = rolesFile === undefined ? undefined : readRoles(readFileSync(rolesFile, 'utf8'), rolesFile);
  const roles = read?.roles ?? [];
  problems.push(...(read?.problems ?? []));
  const own = new Map<string, AnyPlugin>();
  for (const root of roots) {
    for (const file of pluginFiles(join(root, RUNES_DIRECTORY, 'runes'))) {
      try {
        const plugin = loadPlugin(file);
        if (!own.has(plugin.name)) own.set(plugin.name, plugin);
      } catch (error) {
        problems.push(describeError(error));
      }
    }
  }
  const { role, why } = chooseOrFall(found, roles, fixed, problems);
  const machine = withWords(found, role);
  // A file of a basic plugin's name takes its place.
  const known = [...basics.map((plugin) => own.get(plugin.name) ?? plugin), ...own.values()];
  const names = pluginsOf(
    role,
    basics.map(({ name }) => name),
  );
  return { machine, role, why, roles, graph: planGraph([...new Set(known)], names), problems };
}

/**
 * The same for a machine that is to run whatever somebody wrote: where the plugins of its role cannot be together, the
 * basic ones run, and it is told.
 */
export function loadRunesOrBasics(options: LoadOptions): LoadedRunes {
  try {
    return loadRunes(options);
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    const { basics = BASIC_PLUGINS } = options;
    const loaded = loadRunes({ ...options, fixed: undefined, roots: [] });
    const names = basics.map(({ name }) => name);
    const problem = `the plugins of this machine's role cannot run, the basic ones do: ${error.message}`;
    return { ...loaded, graph: planGraph(basics, names), problems: [problem] };
  }
}

/** What is wrong with a roles file, a line each; plugins beside it and in `roots` are known. */
export function checkRolesFile(file: string, roots: readonly string[]): readonly string[] {
  const known = BASIC_PLUGINS.map(({ name }) => name);
  const problems: string[] = [];
  for (const directory of [
    join(dirname(file), 'runes'),
    ...roots.map((root) => join(root, RUNES_DIRECTORY, 'runes')),
  ]) {
    for (const plugin of pluginFiles(directory)) {
      try {
        known.push(loadPlugin(plugin).name);
      } catch (error) {
        problems.push(describeError(error));
      }
    }
  }
  return [...checkRoles(readFileSync(file, 'utf8'), file, known), ...problems];
}
