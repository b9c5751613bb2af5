import type { AnyPlugin } from './plugin.ts';

/** The plugins of a role in the order of their need. */
export interface PluginGraph {
  /** Providers before those who ask them. */
  readonly order: readonly AnyPlugin[];
  /** For each plugin by name, the plugins it cannot be without. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
  /** For each plugin by name, all it may ask: what it needs, and what it uses where it is there. */
  readonly asks: ReadonlyMap<string, readonly string[]>;
  /** Which plugin provides an interface. */
  readonly providers: ReadonlyMap<string, string>;
}

/** All that is wrong with a role's plugins, a line each. Nothing has been started. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}

interface Found {
  readonly chosen: readonly AnyPlugin[];
  readonly providers: Map<string, string>;
}

function findProviders(known: readonly AnyPlugin[], wanted: readonly string[], problems: string[]): Found {
  const chosen: AnyPlugin[] = [];
  const providers = new Map<string, string>();
  for (const name of new Set(wanted)) {
    const plugin = known.find((candidate) => candidate.name === name);
    if (plugin === undefined) {
      problems.push(`there is no plugin '${name}'`);
      continue;
    }
    chosen.push(plugin);
    for (const provided of plugin.provides ?? []) {
      const other = providers.get(provided);
      if (other !== undefined) problems.push(`'${other}' and '${name}' both provide the interface '${provided}'`);
      else providers.set(provided, name);
    }
  }
  return { chosen, providers };
}

function missing(plugin: AnyPlugin, wanted: string, known: readonly AnyPlugin[]): string {
  const could = known.filter(({ provides }) => provides?.some((name) => name === wanted)).map(({ name }) => name);
  const hint = could.length === 0 ? 'no known plugin does' : `'${could.join("' or '")}' would: add it to the role`;
  return `'${plugin.name}' requires the interface '${wanted}', which no plugin of this role provides; ${hint}`;
}

/**
 * Who needs whom, and the order to start in: as the role names them, but providers first. Pure.
 * @throws GraphError with every unknown plugin, double or missing provider and cycle
 */
export function planGraph(known: readonly AnyPlugin[], wanted: readonly string[]): PluginGraph {
  const problems: string[] = [];
  const { chosen, providers } = findProviders(known, wanted, problems);
  const needs = new Map<string, string[]>();
  const asks = new Map<string, string[]>();
  for (const plugin of chosen) {
    const required = (plugin.requires ?? []).flatMap((name) => {
      const provider = providers.get(name);
      if (provider === undefined) problems.push(missing(plugin, name, known));
      return provider ?? [];
    });
    const used = (plugin.uses ?? []).flatMap((name) => providers.get(name) ?? []);
    needs.set(plugin.name, [...new Set(required)]);
    asks.set(plugin.name, [...new Set([...required, ...used])]);
  }
  const order: AnyPlugin[] = [];
  const done = new Set<string>();
  const visit = (plugin: AnyPlugin, path: readonly string[]): void => {
    const at = path.indexOf(plugin.name);
    if (at >= 0) {
      problems.push(`a cycle: ${[...path.slice(at), plugin.name].map((name) => `'${name}'`).join(' needs ')}`);
      return;
    }
    if (done.has(plugin.name)) return;
    for (const name of asks.get(plugin.name) ?? []) {
      const next = chosen.find((candidate) => candidate.name === name);
      if (next !== undefined) visit(next, [...path, plugin.name]);
    }
    if (!done.has(plugin.name)) order.push(plugin);
    done.add(plugin.name);
  };
  for (const plugin of chosen) visit(plugin, []);
  if (problems.length > 0) throw new GraphError([...new Set(problems)]);
  return { order, needs, asks, providers };
}

/** What cannot be without `name`, directly or through others, in the order to stop it: the last started first. */
export function dependentsOf(graph: PluginGraph, name: string): readonly string[] {
  const down = new Set([name]);
  for (const plugin of graph.order) {
    if (graph.needs.get(plugin.name)?.some((need) => down.has(need))) down.add(plugin.name);
  }
  down.delete(name);
  return graph.order
    .map((plugin) => plugin.name)
    .filter((other) => down.has(other))
    .reverse();
}
