import { expect, test } from 'vitest';
import {
  describeFailure,
  type LoadOutcome,
  loadModules,
  type ModuleLoader,
  newLoading,
} from '../../../src/hardware/load.ts';
import type { ModulePlan, PlannedModule } from '../../../src/hardware/plan.ts';
import { planModules } from '../../../src/hardware/plan.ts';
import { memoryModules } from './memory-modules.ts';

function module(name: string, needs: readonly string[] = [], after: readonly string[] = []): PlannedModule {
  return {
    name,
    path: `/m/${name}.ko`,
    parameters: '',
    needs,
    after,
    reason: 'x',
    optional: false,
    atOnce: false,
    class: undefined,
    wantedBy: ['/devices/pci/0000:00:01.0'],
  };
}

function plan(...modules: PlannedModule[]): ModulePlan {
  return { wants: [], modules };
}

/** A kernel that takes a turn of the event loop for each module, and fails those told. */
function kernel(errors: Readonly<Record<string, string>> = {}) {
  const log: string[] = [];
  const loader: ModuleLoader = {
    has: () => false,
    async load({ path, parameters }) {
      const name = path.slice(3, -3);
      log.push(`+${name}${parameters === '' ? '' : ` ${parameters}`}`);
      await new Promise((resolve) => setImmediate(resolve));
      log.push(`-${name}`);
      const code = errors[name];
      if (code !== undefined) throw Object.assign(new Error(`finit_module ${path}: ${code}`), { code });
    },
  };
  return { log, loader };
}

const kinds = (outcomes: readonly LoadOutcome[]) => outcomes.map(({ kind, module: { name } }) => `${name} ${kind}`);

test('drivers start side by side, each as soon as what it needs is there', async () => {
  const { log, loader } = kernel();
  const outcomes = await loadModules(
    plan(module('a'), module('b'), module('c', ['a']), module('d', [], ['b'])),
    loader,
  );
  expect(log.slice(0, 2)).toEqual(['+a', '+b']);
  expect(log.indexOf('+c')).toBeGreaterThan(log.indexOf('-a'));
  expect(log.indexOf('+d')).toBeGreaterThan(log.indexOf('-b'));
  expect(log).toHaveLength(8);
  expect(kinds(outcomes)).toEqual(['a loaded', 'b loaded', 'c loaded', 'd loaded']);
});

test('what comes later in the plan does not overtake, and does not wait for an end either', async () => {
  const order: string[] = [];
  const loader: ModuleLoader = {
    has: () => false,
    async load({ path }) {
      order.push(path);
      // The first driver hangs until the last one has been handed over.
      if (path === '/m/slow.ko') while (order.length < 4) await new Promise((resolve) => setImmediate(resolve));
    },
  };
  await loadModules(plan(module('lib'), module('slow', ['lib']), module('other'), module('last', ['other'])), loader);
  expect(order).toEqual(['/m/lib.ko', '/m/slow.ko', '/m/other.ko', '/m/last.ko']);
});

test('a module that is in the kernel already is no failure', async () => {
  const { loader } = kernel({ a: 'EEXIST' });
  expect(kinds(await loadModules(plan(module('a'), module('b', ['a'])), loader))).toEqual(['a present', 'b loaded']);
});

test('what the kernel has is not handed to it again, and what needs it goes on at once', async () => {
  const { log, loader } = kernel();
  const early = new Set(['a', 'c']);
  const modules = plan(module('a'), module('b', ['a']), { ...module('c'), settledBy: 'b' });
  const outcomes = await loadModules(modules, { ...loader, has: ({ name }) => early.has(name) });
  expect(kinds(outcomes)).toEqual(['a present', 'b loaded', 'c present']);
  expect(log).toEqual(['+b', '-b']);
});

test('a driver that is in the kernel already may still be looking for its devices: that is over with what settles it', async () => {
  const { loader } = kernel({ a: 'EEXIST' });
  const loading = newLoading();
  const late = Promise.withResolvers<void>();
  const slow: ModuleLoader = {
    has: () => false,
    load: async (each) => {
      await loader.load(each);
      if (each.path === '/m/b.ko') await late.promise;
    },
  };
  const done = loadModules(plan({ ...module('a'), settledBy: 'b' }, module('b')), slow, loading);
  await loading.attempts.get('a');
  expect([...loading.underWay.keys()]).toEqual(['a', 'b']);
  late.resolve();
  expect(kinds(await done)).toEqual(['a present', 'b loaded']);
  expect(loading.underWay.size).toBe(0);
});

test('a module that fails takes with it only what needs it', async () => {
  const { loader, log } = kernel({ a: 'ENOEXEC' });
  const modules = plan(module('a'), module('b', ['a']), module('c', ['b', 'a']), module('d', [], ['a']), module('e'));
  const outcomes = await loadModules(modules, loader);
  expect(kinds(outcomes)).toEqual(['a failed', 'b failed', 'c failed', 'd loaded', 'e loaded']);
  expect(log.filter((line) => line.startsWith('+'))).toEqual(['+a', '+d', '+e']);
  const texts = outcomes.flatMap((outcome) => (outcome.kind === 'failed' ? [describeFailure(outcome)] : []));
  expect(texts[0]).toBe('module a (/m/a.ko) for 0000:00:01.0: finit_module /m/a.ko: ENOEXEC');
  expect(texts[1]).toBe('module b (/m/b.ko) for 0000:00:01.0: needs a, which failed: finit_module /m/a.ko: ENOEXEC');
});

test('two plans at once load a module once', async () => {
  const { loader, log } = kernel();
  const loading = newLoading();
  const [first, second] = await Promise.all([
    loadModules(plan(module('a'), module('b', ['a'])), loader, loading),
    loadModules(plan(module('a'), module('c', ['a'])), loader, loading),
  ]);
  expect(log.filter((line) => line === '+a')).toHaveLength(1);
  expect(kinds([...first, ...second])).toEqual(['a loaded', 'b loaded', 'a loaded', 'c loaded']);
});

test('what is under way is known', async () => {
  const { loader } = kernel();
  const loading = newLoading();
  const done = loadModules(plan(module('a'), module('b', ['a'])), loader, loading);
  await Promise.resolve();
  await Promise.resolve();
  expect([...loading.underWay]).toEqual([['a', '/m/a.ko']]);
  await done;
  expect([...loading.underWay]).toEqual([]);
});

test('a driver is under way until what settles it has started, and what needs it does not wait for that', async () => {
  const { log, loader } = kernel();
  const loading = newLoading();
  let atSecond: string[] = [];
  const seen: ModuleLoader = {
    has: () => false,
    async load(of) {
      if (of.path === '/m/c.ko') atSecond = [...loading.underWay.keys()];
      await loader.load(of);
    },
  };
  await loadModules(plan({ ...module('a'), settledBy: 'c' }, module('b', ['a']), module('c', ['b'])), seen, loading);
  expect(log).toEqual(['+a', '-a', '+b', '-b', '+c', '-c']);
  expect(atSecond).toEqual(['a', 'c']);
  expect([...loading.underWay]).toEqual([]);
});

test('modules that want each other do not wait for each other', async () => {
  const files = { 'modules.dep': 'a.ko: \nb.ko: a.ko\n', 'modules.softdep': 'softdep a pre: b\nsoftdep b pre: a\n' };
  const { loader } = kernel();
  const outcomes = await loadModules(planModules([{ name: 'a', reason: 'x' }], memoryModules(files)), loader);
  expect(outcomes.map(({ module: { name } }) => name).sort()).toEqual(['a', 'b']);
});

test('an error that is no system error is told as it is', async () => {
  const loader = { has: () => false, load: () => Promise.reject('xz: corrupt') };
  const [outcome] = await loadModules(plan(module('a')), loader);
  expect(outcome).toMatchObject({ kind: 'failed', reason: 'xz: corrupt' });
});
