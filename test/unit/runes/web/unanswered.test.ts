import { expect, test } from 'vitest';
import { Unanswered } from '../../../../src/runes/web/unanswered.ts';

test('an asker who repeats itself is counted, each for itself', () => {
  const unanswered = new Unanswered();
  expect(unanswered.ask('a', 0)).toBe(1);
  expect(unanswered.ask('b', 100)).toBe(1);
  expect(unanswered.ask('a', 250)).toBe(2);
  expect(unanswered.ask('a', 750)).toBe(3);
  expect(unanswered.ask('b', 4100)).toBe(2);
});

test('a question of later is a new one', () => {
  const unanswered = new Unanswered();
  unanswered.ask('a', 0);
  expect(unanswered.ask('a', 60_000)).toBe(1);
});

test('any number of askers takes a bounded memory: who was silent longest is forgotten', () => {
  const unanswered = new Unanswered();
  for (let i = 0; i < 1000; i++) unanswered.ask(`asker ${i}`, i);
  expect(unanswered.ask('asker 999', 1000)).toBe(2);
  expect(unanswered.ask('asker 0', 1000)).toBe(1);
});
