/** A node that has no peer at all reads from an origin, as fast as that answers. */
import { expect, test } from 'vitest';
import type { Action, FieldEvent } from '../../../src/field/event.ts';
import { FieldMachine } from '../../../src/field/machine.ts';
import { makeLengths } from '../../bench/field/crowd.ts';

test('chunks that reads wait for are asked for at once, and the next ones as soon as one has come', () => {
  const lengths = makeLengths(8 << 20, 3);
  const machine = new FieldMachine({
    field: '00112233445566ff',
    node: 7,
    life: 1,
    address: '10.0.0.1:20070',
    peers: [],
    multicast: false,
    random: () => 0.5,
    cookie: () => new Uint8Array(8),
    keep: 1 << 30,
    fill: true,
    hasOrigin: true,
  });
  let now = 0;
  const asked: number[] = [];
  const feed = (event: FieldEvent): readonly Action[] => {
    const actions = machine.handle(event, now);
    for (const action of actions) if (action.kind === 'ask origin') asked.push(action.chunk);
    return actions;
  };
  feed({ kind: 'layout', lengths, held: [], free: false });
  feed({ kind: 'start' });
  // A sequential reader with two chunks at a time; the origin takes 10 ms for each.
  let ready = 0;
  for (let read = 0; read < lengths.count / 2; read++) {
    const chunks = { start: 2 * read, end: 2 * read + 2 };
    // What was read ahead is here already.
    ready += feed({ kind: 'read', read, chunks }).filter(({ kind }) => kind === 'ready').length;
    now += 10;
    for (let chunk = asked.shift(); chunk !== undefined; chunk = asked.shift()) {
      const actions = feed({ kind: 'origin', chunk, good: true });
      ready += actions.filter(({ kind }) => kind === 'ready').length;
    }
    feed({ kind: 'unread', read });
  }
  expect(ready).toBe(Math.ceil(lengths.count / 2));
});
