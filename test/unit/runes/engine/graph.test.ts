import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dependentsOf, GraphError, planGraph } from '../../../../src/runes/engine/graph.ts';
import type { InterfaceName } from '../../../../src/runes/engine/interfaces.ts';
import type { AnyPlugin } from '../../../../src/runes/engine/plugin.ts';

/** Names of interfaces in tests are any words. */
const names = (list: readonly string[]) => list as readonly InterfaceName[];
const plugin = (name: string, of: { provides?: string[]; requires?: string[]; uses?: string[] } = {}): AnyPlugin => ({
  name,
  summary: '',
  provides: names(of.provides ?? []),
  requires: names(of.requires ?? []),
  uses: names(of.uses ?? []),
  start: () => ({}),
});
const problemsOf = (known: AnyPlugin[], wanted: string[]): readonly string[] => {
  try {
    planGraph(known, wanted);
    return [];
  } catch (error) {
    if (error instanceof GraphError) return error.problems;
    throw error;
  }
};

test('providers come before those who ask them; else the order is that of the role', () => {
  const known = [
    plugin('dhcp', { requires: ['address', 'tftp'] }),
    plugin('tftp', { provides: ['tftp'], requires: ['address'] }),
    plugin('address', { provides: ['address'] }),
    plugin('time'),
  ];
  const { order, needs, providers } = planGraph(known, ['time', 'dhcp', 'tftp', 'address']);
  expect(order.map(({ name }) => name)).toEqual(['time', 'address', 'tftp', 'dhcp']);
  expect(needs.get('dhcp')).toEqual(['address', 'tftp']);
  expect(providers.get('tftp')).toBe('tftp');
});

test('what is used only comes first where it is there, and may be missing', () => {
  const http = plugin('http', { uses: ['field'] });
  const field = plugin('field', { provides: ['field'] });
  expect(planGraph([http, field], ['http', 'field']).order.map(({ name }) => name)).toEqual(['field', 'http']);
  const alone = planGraph([http, field], ['http']);
  expect(alone.order.map(({ name }) => name)).toEqual(['http']);
  expect(dependentsOf(planGraph([http, field], ['http', 'field']), 'field')).toEqual([]);
});

test('all that is wrong is named at once: unknown plugins, missing and double providers', () => {
  const known = [
    plugin('a', { requires: ['address'] }),
    plugin('b', { provides: ['tftp'] }),
    plugin('c', { provides: ['tftp'] }),
    plugin('d', { provides: ['address'] }),
    plugin('e', { requires: ['nobody'] }),
  ];
  expect(problemsOf(known, ['a', 'b', 'c', 'e', 'gone'])).toEqual([
    "'b' and 'c' both provide the interface 'tftp'",
    "there is no plugin 'gone'",
    "'a' requires the interface 'address', which no plugin of this role provides; 'd' would: add it to the role",
    "'e' requires the interface 'nobody', which no plugin of this role provides; no known plugin does",
  ]);
});

test('a cycle is named as it runs', () => {
  const known = [
    plugin('a', { provides: ['a'], requires: ['b'] }),
    plugin('b', { provides: ['b'], requires: ['c'] }),
    plugin('c', { provides: ['c'], requires: ['a'] }),
  ];
  expect(problemsOf(known, ['a', 'b', 'c'])).toEqual(["a cycle: 'a' needs 'b' needs 'c' needs 'a'"]);
});

test('who cannot be without a plugin stops before it, the last started first', () => {
  const known = [
    plugin('address', { provides: ['address'] }),
    plugin('tftp', { provides: ['tftp'], requires: ['address'] }),
    plugin('time'),
    plugin('dhcp', { requires: ['tftp'] }),
  ];
  const graph = planGraph(known, ['address', 'tftp', 'time', 'dhcp']);
  expect(dependentsOf(graph, 'address')).toEqual(['dhcp', 'tftp']);
  expect(dependentsOf(graph, 'time')).toEqual([]);
});

test('in any graph without cycles each plugin comes once and after all it asks', () => {
  const edges = fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 40 });
  fc.assert(
    fc.property(edges, fc.array(fc.nat(11), { minLength: 1 }), (pairs, wanted) => {
      // from the larger number to the smaller: no cycles
      const known = Array.from({ length: 12 }, (_, i) =>
        plugin(`p${i}`, {
          provides: [`i${i}`],
          uses: pairs.flatMap(([a, b]) => (a === i && b < i ? [`i${b}`] : [])),
        }),
      );
      const { order, asks } = planGraph(
        known,
        wanted.map((i) => `p${i}`),
      );
      const place = new Map(order.map(({ name }, i) => [name, i]));
      expect(place.size).toBe(new Set(wanted).size);
      for (const [name, at] of place)
        for (const asked of asks.get(name) ?? []) expect(place.get(asked)).toBeLessThan(at);
    }),
  );
});
