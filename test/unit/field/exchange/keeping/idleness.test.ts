import { expect, test } from 'vitest';
import { Idleness } from '../../../../../src/field/exchange/keeping/idleness.ts';

const allowed = (idleness: Idleness, now: number, asked: number): number =>
  Array.from({ length: asked }, () => idleness.mayFill(now)).filter(Boolean).length;

test('a machine that reads nothing is idle', () => {
  expect(allowed(new Idleness(), 0, 100)).toBe(100);
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
