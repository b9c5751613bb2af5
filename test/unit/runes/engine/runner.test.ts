import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { planGraph } from '../../../../src/runes/engine/graph.ts';
import type { InterfaceName, Interfaces } from '../../../../src/runes/engine/interfaces.ts';
import type { AnyPlugin, Context } from '../../../../src/runes/engine/plugin.ts';
import { definePlugin } from '../../../../src/runes/engine/plugin.ts';
import { Runner } from '../../../../src/runes/engine/runner.ts';
import type { Machine } from '../../../../src/runes/machine.ts';

const machine: Machine = {
  hostname: 'm',
  macs: [],
  addresses: [],
  booted: 'medium',
  bootMac: undefined,
  commandLine: '',
  image: undefined,
};

interface Part {
  readonly requires?: readonly InterfaceName[];
  readonly provides?: readonly InterfaceName[];
  readonly run?: (context: Context) => void | Promise<void>;
  readonly give?: Partial<Interfaces>;
  readonly startTimeoutMs?: number;
}

/** Plugins that write down when they start and stop. */
function lab(
  parts: Readonly<Record<string, Part>>,
  options: { requestTimeoutMs?: number; startTimeoutMs?: number } = {},
) {
  const events: string[] = [];
  const lines: string[] = [];
  const contexts = new Map<string, Context>();
  const plugins = Object.entries(parts).map(
    ([name, { requires = [], provides = [], run, give, startTimeoutMs }]): AnyPlugin => {
      const stub = Object.fromEntries(provides.map((one) => [one, {}]));
      return {
        name,
        summary: '',
        requires,
        provides,
        ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
        async start(context) {
          contexts.set(name, context);
          context.defer(() => void events.push(`${name} released`));
          await run?.(context);
          events.push(`${name} started`);
          return give ?? stub;
        },
        stop: () => void events.push(`${name} stopped`),
      };
    },
  );
  const graph = planGraph(plugins, Object.keys(parts));
  const runner = new Runner({ graph, machine, role: 'r', log: (line) => lines.push(line), retryMs: 1, ...options });
  const stateOf = (name: string) => runner.states.find((state) => state.name === name);
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  return { events, lines, contexts, runner, stateOf, until };
}

test('plugins start in the order of their need and stop in reverse, with what they deferred after them', async () => {
  const { runner, events } = lab({ b: { requires: ['address'] }, a: { provides: ['address'] } });
  await runner.start();
  await runner.stop();
  expect(events).toEqual(['a started', 'b started', 'b stopped', 'b released', 'a stopped', 'a released']);
});

test('a plugin that does not start holds up only what needs it, is named, and is tried again', async () => {
  let attempts = 0;
  const { runner, lines, stateOf, until } = lab({
    a: {
      provides: ['address'],
      run: () => {
        attempts++;
        if (attempts < 3) throw new Error('no cable');
      },
    },
    b: { requires: ['address'], provides: ['tftp'] },
    c: { requires: ['tftp'] },
    d: {},
  });
  await runner.start();
  expect(lines[0]).toBe('a failed: no cable; waiting for it: c, b');
  expect(stateOf('d')?.state).toBe('running');
  expect(stateOf('c')).toEqual({ name: 'c', state: 'waiting', why: 'waits for b' });
  await until(() => stateOf('c')?.state === 'running');
  expect(attempts).toBe(3);
  await runner.stop();
});

test('one that fails while it runs takes down what needs it and nothing else', async () => {
  const { runner, events, contexts, lines, stateOf, until } = lab({
    a: { provides: ['address'] },
    b: { requires: ['address'] },
    other: {},
  });
  await runner.start();
  contexts.get('a')?.fail(new Error('the card is gone', { cause: new Error('ENODEV') }));
  await until(() => events.filter((event) => event === 'b started').length === 2);
  expect(lines).toContain('a failed: the card is gone: ENODEV; down with it: b');
  expect(events).not.toContain('other stopped');
  expect(stateOf('a')?.state).toBe('running');
  await runner.stop();
});

test('a restart is told with its reason, and what failed before it is not started twice', async () => {
  const { runner, events, contexts, lines, until } = lab({
    a: { provides: ['address'] },
    b: { requires: ['address'] },
  });
  await runner.start();
  const old = contexts.get('a');
  old?.restart('another address');
  old?.restart('and another');
  await until(() => events.filter((event) => event === 'b started').length === 2);
  await runner.stop();
  expect(lines).toEqual(['a, b started anew: another address']);
  expect(events.filter((event) => event === 'a started')).toHaveLength(2);
});

test('requests are answered by the provider, also by one that was started anew', async () => {
  let life = 0;
  const { runner, contexts, until, events } = lab({
    a: {
      provides: ['boot-loader'],
      run: () => void life++,
      give: { 'boot-loader': { directory: async () => `life ${life}`, file: async (kind) => kind } },
    },
    b: { requires: ['boot-loader'] },
  });
  await runner.start();
  const loader = contexts.get('b')?.ask('boot-loader');
  expect(await loader?.directory()).toBe('life 1');
  expect(await loader?.file('efi64')).toBe('efi64');
  contexts.get('a')?.restart('test');
  await until(() => events.filter((event) => event === 'b started').length === 2);
  expect(await loader?.directory()).toBe('life 2');
  await runner.stop();
  await expect(loader?.directory()).rejects.toThrow("nobody provides 'boot-loader' now");
});

test('a request without an answer ends by a time-out that names both sides', async () => {
  const { runner, contexts } = lab(
    {
      a: {
        provides: ['boot-loader'],
        give: { 'boot-loader': { directory: () => new Promise(() => {}), file: async () => '' } },
      },
      b: { requires: ['boot-loader'] },
    },
    { requestTimeoutMs: 10 },
  );
  await runner.start();
  await expect(contexts.get('b')?.ask('boot-loader').directory()).rejects.toThrow(
    "boot-loader.directory() asked by 'b': no answer within 0.01 s",
  );
  await runner.stop();
});

test('an interface that was not declared cannot be asked', async () => {
  const { runner, contexts } = lab({ a: { provides: ['address'] }, b: {} });
  await runner.start();
  expect(() => contexts.get('b')?.ask('address')).toThrow("'b' asks 'address', which is in neither");
  expect(contexts.get('b')?.has('address')).toBe(false);
  await runner.stop();
});

test('a plugin that has much to do at its start, as an index to make, may take the time that it says', async () => {
  const { runner, events, lines } = lab(
    {
      field: {
        provides: ['field'],
        startTimeoutMs: 60_000,
        run: async () => await new Promise((resolve) => setTimeout(resolve, 50)),
      },
    },
    { startTimeoutMs: 5 },
  );
  await runner.start();
  expect([events, lines]).toEqual([['field started'], []]);
  await runner.stop();
});

test('a start that never ends fails by its time-out; a start without its interface fails too', async () => {
  const { runner, lines } = lab(
    { slow: { run: () => new Promise(() => {}) }, empty: { provides: ['tftp'], give: {} } },
    { startTimeoutMs: 10 },
  );
  await runner.start();
  expect(new Set(lines)).toEqual(
    new Set([
      'slow failed: did not start within 0.01 s',
      "empty failed: started without the interface 'tftp' it provides",
    ]),
  );
  await runner.stop();
});

test('the end comes also in the middle of a start, and nothing more is started', async () => {
  const { runner, events, lines, until, contexts } = lab({
    slow: { provides: ['tftp'], run: () => new Promise(() => {}) },
    next: { requires: ['tftp'] },
  });
  const started = runner.start();
  await until(() => contexts.has('slow'));
  await runner.stop();
  await started;
  expect(contexts.get('slow')?.signal.aborted).toBe(true);
  expect(events).toEqual(['slow stopped', 'slow released']);
  expect(lines).toEqual([]);
});

test('what a plugin asks and gives is typed by its interfaces', () => {
  const plugin = definePlugin({
    name: 'typed',
    summary: '',
    requires: ['address'],
    provides: ['boot-loader'],
    async start(context) {
      const { prefixLength } = await context.ask('address').network();
      // @ts-expect-error: not in requires or uses
      context.ask('field');
      // @ts-expect-error: no such request
      await context.ask('address').nothing();
      return { 'boot-loader': { directory: async () => `${prefixLength + 1}`, file: async () => '' } };
    },
  });
  expect(plugin.name).toBe('typed');
  // @ts-expect-error: it gives what it does not provide in full
  definePlugin({ name: 'typed', summary: '', provides: ['boot-loader'], start: () => ({ 'boot-loader': {} }) });
});

test('a start that hangs holds up nobody who does not ask it, also not later', async () => {
  const { runner, contexts, events, stateOf, until } = lab(
    {
      hangs: { provides: ['tftp'], run: () => new Promise<never>(() => {}) },
      needs: { requires: ['tftp'] },
      other: { provides: ['address'] },
      after: { requires: ['address'] },
    },
    { startTimeoutMs: 60_000 },
  );
  const started = runner.start();
  await until(() => stateOf('after')?.state === 'running');
  expect(stateOf('hangs')?.state).toBe('starting');
  expect(stateOf('needs')).toEqual({ name: 'needs', state: 'waiting', why: 'waits for hangs' });
  contexts.get('other')?.restart('moved');
  await until(() => events.filter((event) => event === 'after started').length === 2);
  await runner.stop();
  await started;
  expect(runner.states.every(({ state }) => state === 'stopped')).toBe(true);
});

test('what is deferred after the start was given up is cleaned up at once', async () => {
  const late = Promise.withResolvers<void>();
  const cleaned: string[] = [];
  const { runner, stateOf, until } = lab(
    {
      slow: {
        run: async (context) => {
          await late.promise;
          context.defer(() => void cleaned.push('late'));
        },
      },
    },
    { startTimeoutMs: 5 },
  );
  await runner.start();
  await until(() => stateOf('slow')?.state === 'failed');
  await runner.stop();
  late.resolve();
  await until(() => cleaned.length > 0);
  expect(new Set(cleaned)).toEqual(new Set(['late']));
});

test("an error event without a listener takes down the plugin whose doing it is; nobody's is told", async () => {
  const { runner, lines, events, contexts, stateOf, until } = lab({
    careless: { run: () => void setTimeout(() => new EventEmitter().emit('error', new Error('reset')), 5) },
    other: {},
  });
  const caught = Promise.withResolvers<void>();
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', (error) => {
    runner.stray(error);
    caught.resolve();
  });
  try {
    await runner.start();
    await caught.promise;
  } finally {
    for (const listener of before) process.on('uncaughtException', listener);
  }
  await until(() => lines.some((line) => /^careless failed: an error that it did not catch: reset/.test(line)));
  expect(events).not.toContain('other stopped');
  expect(contexts.get('careless')?.signal.aborted).toBe(true);
  runner.stray(new Error('whose?'));
  expect(lines.at(-1)).toBe("no plugin's: an error that it did not catch: whose?");
  expect(stateOf('other')?.state).toBe('running');
  await runner.stop();
});

test('a plugin that has very much to say, such as of a flood of questions, is not written down whole', async () => {
  const { runner, contexts, lines } = lab({ loud: {}, calm: {} });
  await runner.start();
  for (let i = 0; i < 5000; i++) contexts.get('loud')?.log(`question ${i}`);
  contexts.get('calm')?.log('all is well');
  expect(lines.filter((line) => line.startsWith('loud: ')).length).toBeLessThan(1100);
  expect(lines.at(-1)).toBe('calm: all is well');
  await runner.stop();
});
