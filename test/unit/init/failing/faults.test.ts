import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Faults } from '../../../../src/init/failing/faults.ts';

function faults() {
  const target = new EventEmitter() as EventEmitter & Pick<NodeJS.Process, 'on'>;
  const strays: unknown[] = [];
  const exits: number[] = [];
  const made = new Faults({
    onStray: (error) => strays.push(error),
    onExit: (code) => exits.push(code),
    process: target as unknown as Pick<NodeJS.Process, 'on'>,
  });
  return { target, strays, exits, faults: made };
}

test.each(['uncaughtException', 'unhandledRejection'])('%s during an attempt is its failure', async (event) => {
  const { target, faults: made, strays } = faults();
  const begun = Promise.withResolvers<AbortSignal>();
  const attempt = made.during(async (signal) => {
    begun.resolve(signal);
    await new Promise(() => {});
  });
  const signal = await begun.promise;
  target.emit(event, new Error('thrown by a timer'));
  await expect(attempt).rejects.toThrow('thrown by a timer');
  expect(signal.aborted).toBe(true);
  expect(strays).toEqual([]);
});

test('an event loop with nothing left to do is a failure too', async () => {
  const { target, faults: made } = faults();
  const attempt = made.during(() => new Promise(() => {}));
  await turn();
  target.emit('beforeExit', 0);
  await expect(attempt).rejects.toThrow('nothing is left to wait for');
});

test('a fault while nothing is attempted, or after the first one, is told and ends nothing', async () => {
  const { target, faults: made, strays } = faults();
  target.emit('uncaughtException', new Error('early'));
  const attempt = made.during(() => new Promise(() => {}));
  await turn();
  target.emit('uncaughtException', new Error('first'));
  target.emit('uncaughtException', new Error('second'));
  await expect(attempt).rejects.toThrow('first');
  expect(strays.map(String)).toEqual(['Error: early', 'Error: second']);
});

test('the next attempt begins when the one that was given up has undone what it did', async () => {
  const { target, faults: made } = faults();
  const order: string[] = [];
  const held = Promise.withResolvers<void>();
  const first = made.during(async (signal) => {
    await held.promise;
    order.push(`first undone, aborted ${signal.aborted}`);
    signal.throwIfAborted();
  });
  await turn();
  target.emit('uncaughtException', new Error('fault'));
  await expect(first).rejects.toThrow('fault');
  const second = made.during(async () => void order.push('second'));
  await turn();
  expect(order).toEqual([]);
  held.resolve();
  await second;
  expect(order).toEqual(['first undone, aborted true', 'second']);
});

test('who calls process.exit is heard of', () => {
  const { target, exits } = faults();
  target.emit('exit', 7);
  expect(exits).toEqual([7]);
});
