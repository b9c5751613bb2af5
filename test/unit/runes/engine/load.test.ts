import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BASIC_PLUGINS } from '../../../../src/runes/basic.ts';
import { type FixedRole, readFixedRole, writeFixedRole } from '../../../../src/runes/engine/fixed-role.ts';
import { GraphError } from '../../../../src/runes/engine/graph.ts';
import { loadRunes, loadRunesOrBasics, pluginFault } from '../../../../src/runes/engine/load.ts';
import { type Machine, wordOf } from '../../../../src/runes/machine.ts';

const machine: Machine = {
  hostname: 'm',
  macs: [],
  addresses: [],
  booted: 'medium',
  bootMac: undefined,
  commandLine: '',
  image: undefined,
};
let initrd = '';
let image = '';

beforeEach(() => {
  initrd = mkdtempSync(join(tmpdir(), 'runes-initrd-'));
  image = mkdtempSync(join(tmpdir(), 'runes-image-'));
});
afterEach(() => {
  for (const root of [initrd, image]) rmSync(root, { recursive: true });
});

function put(root: string, path: string, text: string): void {
  mkdirSync(join(root, 'etc/RUNES/runes'), { recursive: true });
  writeFileSync(join(root, 'etc/RUNES', path), text);
}
const load = (of: Partial<Machine> = {}) => loadRunes({ machine: { ...machine, ...of }, roots: [initrd, image] });
const plugin = (name: string, more = '') =>
  `export default definePlugin({ name: '${name}', summary: 'of a file' as string, start: () => ({}) ${more} });`;

describe('without any file', () => {
  test('a machine from a medium is a boot server, one from the network a node, with all basic plugins in order', () => {
    const { role, graph } = load();
    expect(role.name).toBe('boot-server');
    expect(graph.order.map(({ name }) => name)).toEqual(BASIC_PLUGINS.map(({ name }) => name));
    expect(load({ booted: 'network' }).role.name).toBe('node');
  });

  test('every basic plugin says what it does', () => {
    for (const { name, summary } of BASIC_PLUGINS) expect(summary.length, name).toBeGreaterThan(20);
  });
});

describe('what a role says beside its plugins', () => {
  test('its words come before the machine’s own, which win', () => {
    put(initrd, 'roles', 'role own\nplugins basic\nmachines any\nwords viver.serve=none quiet\nkeymap de');
    const loaded = load({ commandLine: 'viver.serve=all' });
    expect(loaded.machine.commandLine).toBe('viver.serve=none quiet viver.keymap=de viver.serve=all');
    expect(loaded.machine.addresses).toEqual([]);
    expect(wordOf(loaded.machine.commandLine, 'viver.serve')).toBe('all');
  });

  test('a role chosen before the switch holds after it, when names and addresses have changed', () => {
    put(initrd, 'roles', 'role log\nplugins basic\nmachines host:log-*\nrole rest\nplugins basic\nmachines any');
    const before = load({ hostname: 'log-123456' });
    expect(before.role.name).toBe('log');
    const again = (fixed: FixedRole | undefined) =>
      loadRunes({ machine: { ...machine, hostname: 'renamed' }, roots: [initrd, image], fixed });
    expect(again(undefined).role.name).toBe('rest');
    expect(again({ name: 'log', why: before.why })).toMatchObject({ role: { name: 'log' }, why: before.why });
    expect(again({ name: 'gone', why: '' })).toMatchObject({
      role: { name: 'rest' },
      problems: [expect.stringContaining('gone')],
    });
  });

  test('the role that was chosen is remembered under /run', () => {
    expect(readFixedRole(join(image, 'run'))).toBeUndefined();
    writeFixedRole({ name: 'log', why: 'it fits' }, join(image, 'run'));
    expect(readFixedRole(join(image, 'run'))).toEqual({ name: 'log', why: 'it fits' });
  });
});

describe('plugins of files', () => {
  test('.ts and .js are taken as they are; those of the initrd come before those of the image', () => {
    put(initrd, 'roles', 'role own\nplugins one two three\nmachines any');
    put(initrd, 'runes/one.ts', plugin('one'));
    put(image, 'runes/one.ts', plugin('one', ', stop() {}'));
    put(image, 'runes/two.js', plugin('two').replace(' as string', ''));
    put(image, 'runes/three.cjs', "module.exports = { name: 'three', summary: '', start() { return {}; } };");
    put(image, 'runes/.four.ts', 'no plugin at all');
    const { graph, problems } = load();
    expect(problems).toEqual([]);
    expect(graph.order.map(({ name }) => name)).toEqual(['one', 'two', 'three']);
    expect(graph.order[0]?.stop).toBeUndefined();
  });

  test('a file of the name of a basic plugin takes its place', () => {
    put(image, 'runes/time.ts', plugin('time'));
    expect(load().graph.order.find(({ name }) => name === 'time')?.summary).toBe('of a file');
  });

  test('a file that is no plugin, or does not load, is named and harms nobody', () => {
    put(image, 'runes/a.ts', 'export default 5;');
    put(image, 'runes/b.ts', 'this is no program');
    put(image, 'runes/c.ts', plugin('NO'));
    const { problems, graph } = load();
    expect(problems).toEqual([
      expect.stringContaining('a.ts: its default export is no plugin'),
      expect.stringMatching(/b\.ts: /),
      expect.stringContaining('c.ts: its name is not of a-z'),
    ]);
    expect(graph.order).toHaveLength(BASIC_PLUGINS.length);
  });

  test('a role that cannot be is refused before anything starts', () => {
    put(initrd, 'roles', 'role own\nplugins dhcp nothing\nmachines any');
    expect(load).toThrow(GraphError);
    expect(load).toThrow("'dhcp' requires the interface 'address'");
    expect(load).toThrow("there is no plugin 'nothing'");
    // The running machine does without them, and says so.
    const { graph, problems } = loadRunesOrBasics({ machine, roots: [initrd, image] });
    expect(graph.order).toHaveLength(BASIC_PLUGINS.length);
    expect(problems).toEqual([expect.stringContaining("there is no plugin 'nothing'")]);
  });

  test('a roles file with a mistake, and a role that is nowhere, leave the machine one that it can have', () => {
    put(initrd, 'roles', 'role own\nplugins basic\nmachines mak:1\n');
    const { role, problems } = loadRunes({ machine: { ...machine, commandLine: 'viver.role=own' }, roots: [initrd] });
    expect(role.name).toBe('boot-server');
    expect(problems).toEqual([
      expect.stringMatching(/roles: line 3: 'mak:1'/),
      expect.stringContaining('viver.role=own'),
    ]);
  });
});

test('what is wrong with a plugin is said in words', () => {
  const good = { name: 'x', start() {} };
  expect(pluginFault(good)).toBeUndefined();
  expect(pluginFault(null)).toContain('no plugin');
  expect(pluginFault({ ...good, requires: 'address' })).toBe('requires is no list of names');
  expect(pluginFault({ ...good, start: 5 })).toBe('start is no function');
  for (const startTimeoutMs of ['1', 0, -1, Number.NaN, 2 ** 31])
    expect(pluginFault({ ...good, startTimeoutMs })).toBe('startTimeoutMs is no time in milliseconds');
  expect(pluginFault({ ...good, startTimeoutMs: 7_200_000 })).toBeUndefined();
  expect(pluginFault({ name: 'x' })).toBe('it has neither prepare nor start');
});
