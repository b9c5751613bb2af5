import { expect, test } from 'vitest';
import { parseOrigin } from '../../../../src/field/origin/place.ts';
import { OriginServer } from '../../../../src/field/origin/server.ts';

const MIB = 1 << 20;

function server(): OriginServer {
  const endpoint = { host: 'a.example', address: '192.0.2.1', port: 80, priority: 0 };
  return new OriginServer(parseOrigin('http://a.example/'), endpoint);
}

test('an index that a server gave says nothing of its rate: it is asked for chunks like any other', () => {
  const one = server();
  one.begun(MIB, 0);
  expect(one.gave(0, 20, 20)).toBe(false);
  one.ended(MIB);
  expect(one.rate).toBeUndefined();
  expect(one.delay(MIB, 8 * MIB, 20)).toBeCloseTo(1 / 8);
});

test('a server that failed and gives an index gives again', () => {
  const one = server();
  one.failed('HTTP 503', undefined, 0);
  expect(one.gave(0, 20, 1000)).toBe(true);
  expect(one.fault).toBeUndefined();
});

test('a server that is late three times, while others give, is left alone; one that gives in between is not', () => {
  const one = server();
  one.begun(MIB, 0);
  one.gave(MIB, 20, 20);
  one.ended(MIB);
  expect([one.outrun(1000), one.outrun(2000)]).toEqual([0, 0]);
  one.gave(MIB, 20, 2500);
  expect([one.outrun(3000), one.outrun(4000)]).toEqual([0, 0]);
  expect(one.outrun(5000)).toBeGreaterThan(0);
  expect(one.isResting(5001)).toBe(true);
  expect(one.fault).toBe('answers late, or not at all');
});

test('a server that has failed is asked for one thing at a time until it gives', () => {
  const one = server();
  one.failed('no answer', undefined, 0);
  expect(one.hasRoom(MIB)).toBe(true);
  one.begun(MIB, 1000);
  expect(one.hasRoom(MIB)).toBe(false);
  one.gave(MIB, 20, 1020);
  expect(one.hasRoom(MIB)).toBe(true);
});
