import { expect, test } from 'vitest';
import { Pace } from '../../../../../src/field/exchange/keeping/pace.ts';

/** A burst at `now` of which each chunk takes `eachMs`. Gives its chunks, and when the next one may begin. */
function burst(pace: Pace, now: number, eachMs: number): { chunks: number; end: number; next: number } {
  let chunks = 0;
  for (; pace.mayOrder(now); chunks++) pace.ordered(now);
  for (let i = 1; i <= chunks; i++) pace.arrived(now + i * eachMs);
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

test('to ask whether more may be ordered orders nothing, and a burst of nothing is none', () => {
  const pace = new Pace();
  for (let i = 0; i < 100; i++) expect(pace.mayOrder(10)).toBe(true);
  pace.settled(10);
  expect(pace.mayOrder(10)).toBe(true);
  expect(pace.nextAt(10)).toBe(Number.POSITIVE_INFINITY);
});

test('where nothing came of a burst, the next one begins a while later', () => {
  const pace = new Pace();
  pace.ordered(10);
  expect(pace.nextAt(10)).toBeLessThan(500);
  pace.settled(20);
  expect(pace.mayOrder(21)).toBe(false);
  const next = pace.nextAt(21);
  expect(next).toBeLessThan(5000);
  expect(burst(pace, next, 1).chunks).toBe(12);
});

test('what one slow source still owes is not waited for, and does not make the burst a slow one', () => {
  const pace = new Pace();
  let { next } = burst(pace, 0, 10);
  for (let i = 0; i < 12; i++) pace.ordered(next);
  for (let i = 1; i <= 8; i++) pace.arrived(next + i * 10);
  pace.settled(next + 700);
  expect(pace.nextAt(next + 700)).toBe(next + 740);
  next = pace.nextAt(next + 700);
  // It comes when the next burst has begun, or before: of no use to anybody's measure.
  pace.arrived(next);
  for (let i = 0; i < 12; i++) pace.ordered(next);
  for (let i = 1; i <= 4; i++) pace.arrived(next + i * 10);
  pace.settled(next + 540);
  expect(pace.nextAt(next + 540) - next - 540).toBe(2 * 540);
});

test('chunks that come within one tick of the clock do not make all others slow for ever', () => {
  const pace = new Pace();
  burst(pace, 0, 0);
  let { next } = burst(pace, 10, 1);
  for (let i = 0; i < 300; i++) ({ next } = burst(pace, next, 1));
  const last = burst(pace, next, 1);
  expect(last.next - last.end).toBe(6);
});
