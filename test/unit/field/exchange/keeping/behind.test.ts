/** A node whose disk does not keep up: what it keeps, and what it fetches. */
import { expect, test } from 'vitest';
import type { Action, FieldEvent } from '../../../../../src/field/event.ts';
import { FieldMachine } from '../../../../../src/field/machine.ts';
import { makeLengths } from '../../../../bench/field/crowd.ts';

const lengths = makeLengths(64 << 20, 3);
const LINGER = 4 << 20;

function machineWithOrigin() {
  const machine = new FieldMachine({
    field: '00112233445566ff',
    node: 7,
    life: 1000,
    address: '10.0.0.7:20070',
    peers: [],
    multicast: false,
    random: () => 0.5,
    cookie: () => new Uint8Array(8),
    keep: 1 << 30,
    fill: true,
    hasOrigin: true,
  });
  let now = 0;
  const kept: (Action & { kind: 'keep' })[] = [];
  /** Does what the actions say, as far as the web server goes. */
  const event = (event: FieldEvent): void => {
    now += event.kind === 'wake' ? 250 : 1;
    for (const action of machine.handle(event, now)) {
      if (action.kind === 'keep') kept.push(action);
      if (action.kind === 'ask origin') queue.push({ kind: 'origin', chunk: action.chunk, good: true });
    }
  };
  const queue: FieldEvent[] = [];
  const settle = (): void => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) event(next);
  };
  event({ kind: 'start' });
  event({ kind: 'layout', lengths, held: [], free: false });
  const heldBytes = (): number => {
    let bytes = 0;
    for (const chunk of machine.data?.held ?? []) bytes += lengths.length(chunk);
    return bytes;
  };
  return { machine, event, settle, kept, heldBytes };
}

test('what others ask a node for is passed on and not kept while its disk is behind, however much it is', () => {
  const { machine, event, settle, kept, heldBytes } = machineWithOrigin();
  event({ kind: 'accepted', conn: 2, node: 9, address: '10.0.0.9:20070' });
  event({ kind: 'behind', isBehind: true });
  for (let chunk = 0; chunk < lengths.count; chunk++) {
    const get = { choose: false, urgent: true, insist: false, count: 1, ranges: [{ start: chunk, end: chunk + 1 }] };
    event({ kind: 'frame', conn: 2, frame: { kind: 'get', ...get } });
    settle();
    event({ kind: 'frame', conn: 2, frame: { kind: 'got', count: 1 } });
    expect(heldBytes()).toBeLessThan(LINGER + (1 << 20));
  }
  expect(kept.length).toBe(lengths.count);
  expect(kept.filter(({ isLasting }) => isLasting)).toEqual([]);
  expect(machine.data?.announced.count).toBe(0);
  expect(machine.data?.keep.passedOver).toBe(lengths.count);
});

test('what reads brought meanwhile, and is still here, is kept when the disk is no longer behind', () => {
  const { machine, event, settle, kept } = machineWithOrigin();
  event({ kind: 'behind', isBehind: true });
  for (let read = 0; read < 200; read++) {
    event({ kind: 'read', read, chunks: { start: read, end: read + 1 } });
    settle();
    event({ kind: 'unread', read });
  }
  const here = [...(machine.data?.held ?? [])];
  expect(here.length).toBeGreaterThan(10);
  expect(here.length).toBeLessThan(120);
  // Nothing is fetched again and again because it had to go before it was read.
  expect(kept.length).toBeLessThan(350);
  expect(machine.data?.announced.count).toBe(0);
  const [came] = [kept.splice(0).length];
  event({ kind: 'behind', isBehind: false });
  expect(
    kept
      .filter(({ isLasting }) => isLasting)
      .map(({ chunk }) => chunk)
      .sort((a, b) => a - b),
  ).toEqual(here);
  expect([...(machine.data?.announced ?? [])]).toEqual(here);
  expect(machine.data?.keep.passedOver).toBe(came - here.length);
});

test('all of the image is wanted: while the disk is behind nothing is fetched for that, and afterwards it goes on', () => {
  const { machine, event, settle } = machineWithOrigin();
  event({ kind: 'behind', isBehind: true });
  event({ kind: 'preheat' });
  settle();
  expect(machine.data?.held.count).toBe(0);
  event({ kind: 'behind', isBehind: false });
  for (let i = 0; i < 100; i++) {
    event({ kind: 'wake' });
    settle();
  }
  expect(machine.data?.held.count).toBe(lengths.count);
});
