import { expect, test } from 'vitest';
import { Idleness } from '../../../../../src/field/exchange/keeping/idleness.ts';

const allowed = (idleness: Idleness, now: number, asked: number, isWaiting = false): number =>
  Array.from({ length: asked }, () => {
    const may = idleness.mayFill(now, isWaiting);
    if (may) idleness.filled();
    return may;
  }).filter(Boolean).length;

test('to ask whether anything may be fetched costs nothing', () => {
  const idleness = new Idleness();
  idleness.read(1000);
  for (let i = 0; i < 100; i++) expect(idleness.mayFill(1000, false)).toBe(true);
  expect(allowed(idleness, 1000, 100)).toBe(4);
});

test('a machine that reads nothing is idle, but for its start: what it will read comes first', () => {
  const idleness = new Idleness();
  expect(allowed(idleness, 0, 100)).toBe(4);
  expect(allowed(idleness, 29_000, 100)).toBe(4);
  expect(allowed(idleness, 30_000, 100)).toBe(100);
});

test('beside reads a few chunks are fetched, now and then', () => {
  const idleness = new Idleness();
  idleness.read(1000);
  expect(allowed(idleness, 1000, 100)).toBe(4);
  idleness.read(1400);
  expect(allowed(idleness, 1400, 100)).toBe(0);
  expect(allowed(idleness, 1500, 100)).toBe(4);
});

test('a while after the last read everything may be fetched', () => {
  const idleness = new Idleness();
  idleness.read(1000);
  expect(allowed(idleness, 2199, 100)).toBe(4);
  expect(allowed(idleness, 2200, 100)).toBe(100);
});

test('while a read waits, as it does for seconds on a slow wire, nothing takes the wire from it', () => {
  const idleness = new Idleness();
  idleness.read(1000);
  for (let now = 1500; now < 20_000; now += 500) expect(allowed(idleness, now, 100, true)).toBe(4);
  // It has come: the next one may follow at once.
  expect(allowed(idleness, 20_000, 100)).toBe(4);
  expect(allowed(idleness, 21_000, 100)).toBe(100);
});

test('a read of what nobody has keeps the rest away for half a minute only', () => {
  const idleness = new Idleness();
  idleness.read(1000);
  for (let now = 1500; now < 31_000; now += 500) expect(allowed(idleness, now, 100, true)).toBe(4);
  expect(allowed(idleness, 33_000, 100, true)).toBe(100);
});

test('while others keep the processors busy at its boot, it is not idle; later that says nothing', () => {
  const idleness = new Idleness();
  idleness.read(1000);
  idleness.processors(0.9, 1000);
  expect(allowed(idleness, 60_000, 100)).toBe(1);
  expect(allowed(idleness, 60_500, 100)).toBe(1);
  idleness.processors(0.2, 61_000);
  expect(allowed(idleness, 61_000, 100)).toBe(100);
  idleness.processors(1, 301_000);
  expect(allowed(idleness, 301_000, 100)).toBe(100);
});

test('when nobody tells any more how busy the processors are, they are not busy for ever', () => {
  const idleness = new Idleness();
  idleness.read(1000);
  idleness.processors(0.9, 1000);
  expect(allowed(idleness, 300_999, 100)).toBe(1);
  expect(allowed(idleness, 301_000, 100)).toBe(100);
});
