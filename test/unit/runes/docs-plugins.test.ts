import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { planGraph } from '../../../src/runes/engine/graph.ts';
import type { InterfaceName, Network } from '../../../src/runes/engine/interfaces.ts';
import { loadPlugin } from '../../../src/runes/engine/load.ts';
import { type AnyPlugin, definePlugin } from '../../../src/runes/engine/plugin.ts';
import { Runner } from '../../../src/runes/engine/runner.ts';
import { fakeRoot } from './fake-root.ts';

const checkout = join(import.meta.dirname, '../../..');
const types = readFileSync(join(checkout, 'initrd/etc/RUNES/runes.d.ts'), 'utf8');
const examples = [...readFileSync(join(checkout, 'docs/runes.md'), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(
  ([, text = '']) => text,
);

// Below the checkout, for @types/node.
let directory = '';
beforeAll(() => {
  mkdirSync(join(checkout, 'build'), { recursive: true });
  directory = mkdtempSync(join(checkout, 'build/docs-plugins-'));
  writeFileSync(join(directory, 'runes.d.ts'), types);
  const options = { strict: true, noEmit: true, target: 'esnext', module: 'nodenext', types: ['node'] };
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['*.ts'] }));
  for (const [i, text] of examples.entries()) writeFileSync(fileOf(i), text);
});
afterAll(() => rmSync(directory, { recursive: true }));

const fileOf = (example: number) => join(directory, `example-${example}.ts`);

function compile(): string {
  try {
    return execFileSync(join(checkout, 'node_modules/.bin/tsc'), ['-p', directory], { encoding: 'utf8' });
  } catch (error) {
    return String((error as { stdout?: string }).stdout ?? error);
  }
}

const network: Network = {
  ...{ interfaceName: 'lo', mac: '02:00:00:00:00:01', address: '127.0.0.1', prefixLength: 8, origin: 'chosen' },
  ...{ gateway: undefined, dns: [], search: [], server: undefined },
};
const address = definePlugin({
  name: 'address',
  summary: 'of the test',
  provides: ['address'],
  start: () => ({
    address: {
      network: async () => network,
      range: async () => ({ first: '127.0.0.2', last: '127.0.0.9', mask: '255.0.0.0' }),
      renew: async () => {},
    },
  }),
});

/** Runs them as `viver runes` does, and stops them at the end. */
async function run(
  plugins: readonly AnyPlugin[],
  meanwhile: (lines: readonly string[]) => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const graph = planGraph(
    plugins,
    plugins.map(({ name }) => name),
  );
  const machine = { ...fakeRoot().root.machine, hostname: 'pc-1' };
  const runner = new Runner({ graph, machine, role: 'r', log: (line) => lines.push(line) });
  await runner.start();
  try {
    expect(runner.states.filter(({ state }) => state !== 'running')).toEqual([]);
    await meanwhile(lines);
  } finally {
    await runner.stop();
  }
}

test('the types that are shipped are those of the sources', () => {
  const out = join(mkdtempSync(join(tmpdir(), 'plugin-types-')), 'runes.d.ts');
  execFileSync(process.execPath, [join(checkout, 'scripts/plugin-types.ts'), out]);
  expect(readFileSync(out, 'utf8'), 'run: node scripts/plugin-types.ts').toBe(types);
});

test('every example of the documentation is right by these types, and a wrong one is not', () => {
  expect(compile()).toBe('');
  const wrong = join(directory, 'wrong.ts');
  writeFileSync(
    wrong,
    "export default definePlugin({ name: 'w', summary: '', start: (c) => (c.ask('adress'), {}) });\n",
  );
  expect(compile()).toMatch(/^.*wrong\.ts\(1,\d+\): error TS/);
  rmSync(wrong);
});

test('the examples run: the greeting, the time on a socket, the guest book and who asks it, what is set before the switch', async () => {
  const [hello, clock, guests, doorman, motd] = examples.map((_, i) => loadPlugin(fileOf(i)));
  if (!hello || !clock || !guests || !doorman || !motd) throw new Error('five examples are expected');
  expect(hello.api).toBe(1);
  await run([hello], async (lines) => expect(lines).toEqual(['hello: hello from pc-1']));
  await run([address, clock], async () => {
    const socket = connect(1313, network.address);
    const [said] = (await once(socket, 'data')) as [Buffer];
    expect(said.toString()).toMatch(/^\d{4}-\d\d-\d\dT.*Z\n$/);
    socket.destroy();
  });
  await run([guests, doorman], async (lines) => expect(lines).toEqual(['doorman: guests: pc-1']));
  const { root, changes, notes } = fakeRoot({ '/etc/motd': 'welcome\n' });
  await motd.prepare?.(root);
  expect([changes, notes]).toEqual([{ '/etc/motd': 'You are on 02:00:00:00:00:01\n' }, ['motd names the machine']]);
});

test('a plugin for another version of the API is refused with a line that names both', () => {
  const file = join(directory, 'later.js');
  writeFileSync(file, "export default definePlugin({ name: 'later', summary: '', api: 2, start: () => ({}) });\n");
  expect(() => loadPlugin(file)).toThrow('later.js: it is for version 2 of RUNES, and this VIVER has version 1');
});

test('the documentation names every interface there is', () => {
  const table = /## The interfaces\n([\s\S]*?)\n\n[^|]/.exec(
    readFileSync(join(checkout, 'docs/runes.md'), 'utf8'),
  )?.[1];
  const names: InterfaceName[] = ['address', 'field', 'boot-loader', 'tftp', 'http', 'images', 'dhcp'];
  const declared = /interface Interfaces \{([\s\S]*?)\n {2}\}/.exec(types)?.[1] ?? '';
  expect([...declared.matchAll(/^ {4}'?([\w-]+)'?:/gm)].map(([, name]) => name).sort()).toEqual([...names].sort());
  for (const name of names) expect(table).toContain(`| \`${name}\` |`);
});
