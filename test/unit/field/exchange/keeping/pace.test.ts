import { expect, test } from 'vitest';
import { Pace } from '../../../../../src/field/exchange/keeping/pace.ts';

/** A burst at `now` of which each chunk takes `eachMs`. Gives its chunks, and when the next one may begin. */
function burst(pace: Pace, now: number, eachMs: number): { chunks: number; end: number; next: number } {
  let chunks = 0;
  while (pace.mayOrder(now)) chunks++;
  for (let i = 1; i < chunks; i++) pace.arrived(now);
  const end = now + chunks * eachMs;
  pace.settled(end);
  return { chunks, end, next: pace.nextAt(end) };
}

test('bursts with rests half as long as they took', () => {
  const pace = new Pace();
  let now = 1000;
  for (let i = 0; i < 20; i++) {
    const { chunks, end, next } = burst(pace, now, 2);
    expect([chunks, end - now, next - end]).toEqual([12, 24, 12]);
    expect(pace.mayOrder(next - 1)).toBe(false);
    now = next;
  }
});

test('when it takes longer than it did, rests grow, and are back to what they were when it does not', () => {
  const pace = new Pace();
  let { next } = burst(pace, 0, 2);
  let slow = burst(pace, next, 20);
  expect(slow.next - slow.end).toBe(2 * 240);
  slow = burst(pace, slow.next, 500);
  expect(slow.next - slow.end).toBe(2000);
  const fast = burst(pace, slow.next, 2);
  expect(fast.next - fast.end).toBe(12);
  ({ next } = fast);
  // A wire that has become slow for good is not waited for for ever.
  for (let i = 0; i < 100; i++) ({ next } = burst(pace, next, 5));
  const last = burst(pace, next, 5);
  expect(last.next - last.end).toBe(30);
});

test('where nothing could be ordered it is tried again a while later', () => {
  const pace = new Pace();
  expect(pace.mayOrder(10)).toBe(true);
  pace.settled(10);
  expect(pace.mayOrder(11)).toBe(false);
  const next = pace.nextAt(11);
  expect(next).toBeLessThan(5000);
  expect(burst(pace, next, 1).chunks).toBe(12);
});
