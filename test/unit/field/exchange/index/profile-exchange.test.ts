import { expect, test } from 'vitest';
import type { Action } from '../../../../../src/field/event.ts';
import { ProfileExchange } from '../../../../../src/field/exchange/index/profile-exchange.ts';
import { PROFILE_WISH } from '../../../../../src/field/wire/frame.ts';

const ORDER = { boots: 1, runs: [{ start: 4, end: 9, boots: 1 }] };
const wish = (conn: number): Action => ({ kind: 'frame', conn, frame: PROFILE_WISH });
const answer = (conn: number): Action => ({ kind: 'frame', conn, frame: { kind: 'profile', ...ORDER } });

test('who boots asks the sources that are there and those that come, each once, until one has answered', () => {
  const exchange = new ProfileExchange();
  const out: Action[] = [];
  exchange.connected(1, 0, out);
  expect(out).toEqual([]);
  exchange.seek([{ conn: 1 }, { conn: 3 }], 10, out);
  exchange.connected(3, 20, out);
  exchange.connected(5, 20, out);
  expect(out.splice(0)).toEqual([wish(1), wish(3), wish(5)]);
  expect(exchange.arrived(3, ORDER, 100, out)).toBeUndefined();
  expect(out.splice(0)).toEqual([{ kind: 'take profile', order: ORDER }]);
  exchange.connected(7, 30, out);
  // It was asked, too; it is only too late.
  expect(exchange.arrived(1, ORDER, 100, out)).toBeUndefined();
  expect(out).toEqual([]);
  expect(exchange.known).toEqual(ORDER);
});

test('when what the first told proves wrong, the next one is listened to, also one that answers later', () => {
  const exchange = new ProfileExchange();
  const out: Action[] = [];
  const orders = [5, 6, 7].map((end) => ({ boots: 1, runs: [{ start: 4, end, boots: 1 }] }));
  const [first, second, third] = orders as [typeof ORDER, typeof ORDER, typeof ORDER];
  exchange.seek([{ conn: 1 }, { conn: 3 }, { conn: 5 }], 0, out);
  exchange.arrived(1, first, 100, out);
  exchange.arrived(3, second, 100, out);
  out.length = 0;
  exchange.wrong(out);
  expect(out.splice(0)).toEqual([{ kind: 'take profile', order: second }]);
  exchange.wrong(out);
  expect([out, exchange.known]).toEqual([[], undefined]);
  exchange.arrived(5, third, 100, out);
  expect(out).toEqual([{ kind: 'take profile', order: third }]);
});

test('no more than eight are asked, and none a minute later', () => {
  const exchange = new ProfileExchange();
  const out: Action[] = [];
  exchange.seek([], 0, out);
  for (let conn = 1; conn < 100; conn += 2) exchange.connected(conn, 0, out);
  expect(out).toHaveLength(8);
  const late = new ProfileExchange();
  late.seek([], 0, out);
  late.connected(1, 60_000, out);
  expect(out).toHaveLength(8);
});

test('a profile that was not asked for, comes twice, or is none of this image is a fault', () => {
  const exchange = new ProfileExchange();
  const out: Action[] = [];
  expect(exchange.arrived(1, ORDER, 100, out)).toMatch(/nobody asked/);
  exchange.seek([{ conn: 1 }, { conn: 3 }], 0, out);
  out.length = 0;
  expect(exchange.arrived(1, ORDER, 8, out)).toMatch(/names chunk 8 of 8/);
  expect(exchange.arrived(1, ORDER, 100, out)).toMatch(/nobody asked/);
  expect(out).toEqual([]);
  // The fault of one is not the others'.
  expect(exchange.arrived(3, ORDER, 100, out)).toBeUndefined();
  expect(out).toHaveLength(1);
});

test('a client is answered once, also when the boot is over only after it has asked', () => {
  const exchange = new ProfileExchange();
  const out: Action[] = [];
  exchange.wished(2, 0, out);
  exchange.wished(4, 0, out);
  exchange.wished(6, 40_000, out);
  exchange.closed(4);
  expect(out).toEqual([]);
  exchange.give(ORDER, 70_000, out);
  // The first one's boot is over, too.
  expect(out.splice(0)).toEqual([answer(6)]);
  exchange.wished(6, 70_001, out);
  exchange.wished(2, 70_001, out);
  expect(out).toEqual([]);
  exchange.wished(8, 70_002, out);
  expect(out).toEqual([answer(8)]);
});
