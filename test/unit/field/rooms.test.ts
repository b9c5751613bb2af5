/** Two rooms and a slow link between them: in virtual time, by the code that is shipped. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rooms, roomNumber } from '../../../src/field/members/rooms.ts';
import { simulateCrowd } from '../../bench/field/crowd.ts';

const MBIT = 1e6 / 8;

test('two rooms of six, joined by a quarter of their links’ rate: each chunk crosses about once, at full rate', () => {
  const rooms = { rate: 100 * MBIT, uplink: 25 * MBIT, latencyMs: 1, isTold: true, size: 32 << 20 };
  const { crossedImages, ratio, lastInFirstRoom, lastSeconds } = simulateCrowd(11, 2, false, rooms);
  expect(crossedImages).toBeLessThan(1.2);
  expect(ratio).toBeLessThan(1.2);
  // Who is in the room of the image does not wait for those who are not.
  expect(lastInFirstRoom).toBeLessThan(lastSeconds / 2);
});

test('a name makes a room, whatever the name; never the number that says nothing', () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      expect(roomNumber(name)).toBeGreaterThan(0);
      expect(roomNumber(name)).toBe(roomNumber(name));
      expect(roomNumber(name)).toBeLessThan(2 ** 32);
    }),
  );
});

test('who is near: by the names of rooms where both have one, else by wire, else by the shortest round trip', () => {
  const rtts = new Map([
    [1, 0.3],
    [2, 0.5],
    [3, 40],
  ]);
  const links = {
    isLocal: (host: string) => host.startsWith('10.0.0.'),
    rtt: (node: number) => rtts.get(node),
    leastRtt: () => 0.3,
  };
  const at = (node: number, room: number, host: string) => ({ node, room, address: `${host}:20070` });
  const [blue, red] = [roomNumber('blue'), roomNumber('red')];
  const told = new Rooms({ ...links, room: blue });
  expect([at(3, blue, '9.9.9.9'), at(1, red, '10.0.0.7')].map((each) => told.isNear(each))).toEqual([true, false]);
  const untold = new Rooms({ ...links, room: 0 });
  const others = [at(3, red, '10.0.0.7'), at(2, red, '10.0.1.7'), at(3, red, '10.0.1.8'), at(4, 0, '10.0.1.9')];
  expect(others.map((each) => untold.isNear(each))).toEqual([true, true, false, true]);
  // Those of another room are known by its name, or by their network.
  expect(told.roomOf(at(1, red, '10.0.0.7'))).toBe(red);
  expect(untold.roomOf(at(3, 0, '9.9.9.1'))).toBe(untold.roomOf(at(3, 0, '9.9.9.2')));
  expect(told.roomOf(at(1, blue, '9.9.9.9'))).toBe(0);
});
