import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ModuleQueue, type SlowCalls } from '../../../../src/init/drivers/module-queue.ts';

type Module = Parameters<ModuleQueue['load']>[0];

const module = (name: string, how: Partial<Module> = {}): Module => ({
  path: name,
  parameters: '',
  atOnce: true,
  class: undefined,
  ...how,
});

function queueWith(hasIdle = false) {
  const log: string[] = [];
  const threads: SlowCalls = {
    hasIdle,
    async load(path) {
      log.push(`aside ${path}`);
    },
  };
  const queue = new ModuleQueue(
    threads,
    () => {},
    (path) => {
      log.push(path);
      if (path === 'bad') throw new Error('ENOEXEC');
    },
  );
  return { log, queue };
}

test('disks come before controllers, and those before what is only got ready', async () => {
  const { log, queue } = queueWith();
  await Promise.all([
    queue.load(module('ext4')),
    queue.load(module('libata', { class: 'storage' })),
    queue.load(module('virtio_blk', { class: 'disk' })),
  ]);
  expect(log).toEqual(['virtio_blk', 'libata', 'ext4']);
});

test('what somebody waits for is not only got ready', async () => {
  const { log, queue } = queueWith();
  const ready = queue.load(module('ext4'));
  const driver = queue.load(module('libata', { class: 'storage' }));
  {
    using _ = queue.hurry();
    await ready;
  }
  await driver;
  expect(log).toEqual(['ext4', 'libata']);
});

test('one module in each turn of the event loop', async () => {
  const { log, queue } = queueWith();
  const all = Promise.all(['a', 'b', 'c'].map((name) => queue.load(module(name))));
  const counts: number[] = [];
  for (let turn = 0; turn < 4; turn++) {
    await nextTurn();
    counts.push(log.length);
  }
  await all;
  expect(Math.max(...counts.map((count, turn) => count - (counts[turn - 1] ?? 0)))).toBe(1);
});

test('a thread that has nothing to do takes its share', async () => {
  const { log, queue } = queueWith(true);
  await Promise.all(['a', 'b'].map((name) => queue.load(module(name, { class: 'storage' }))));
  expect(log).toEqual(['aside a', 'b']);
});

test('a module that fails rejects, and the next is loaded', async () => {
  const { log, queue } = queueWith();
  const bad = queue.load(module('bad'));
  const good = queue.load(module('good'));
  await expect(bad).rejects.toThrow('ENOEXEC');
  await good;
  expect(log).toEqual(['bad', 'good']);
});

test('a driver that may take long waits while a disk is looked at', async () => {
  const { log, queue } = queueWith();
  queue.holdSlow(true);
  const slow = queue.load(module('sd_mod', { atOnce: false, class: 'storage' }));
  await nextTurn();
  expect(log).toEqual([]);
  queue.holdSlow(false);
  await slow;
  expect(log).toEqual(['aside sd_mod']);
});

test('a quiet moment comes when no module waits, no disk is looked at, nothing is measured and the rest is not left', async () => {
  const { log, queue } = queueWith();
  const measuring = queue.pause();
  queue.leaveRest(true);
  queue.holdSlow(true);
  const loading = queue.load(module('ext4'));
  let isQuiet = false;
  const quiet = queue.quiet().then(() => {
    isQuiet = true;
  });
  for (const next of [() => measuring[Symbol.dispose](), () => queue.leaveRest(false), () => queue.holdSlow(false)]) {
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    expect(isQuiet).toBe(false);
    next();
  }
  await Promise.all([loading, quiet]);
  expect(log).toEqual(['ext4']);
});
