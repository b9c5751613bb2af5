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
