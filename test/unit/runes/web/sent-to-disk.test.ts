import { expect, test } from 'vitest';
import { SentToDisk } from '../../../../src/runes/web/sent-to-disk.ts';

test('who was sent to its disk is sent there again for four minutes, and nobody else is', () => {
  const sent = new SentToDisk();
  sent.send('10.86.0.2', 1000);
  expect(sent.isSent('10.86.0.2', 240_000)).toBe(true);
  expect(sent.isSent('10.86.0.3', 240_000)).toBe(false);
  expect(sent.isSent('10.86.0.2', 241_000)).toBe(false);
});

test('each time counts anew', () => {
  const sent = new SentToDisk();
  sent.send('10.86.0.2', 0);
  sent.send('10.86.0.2', 200_000);
  expect(sent.isSent('10.86.0.2', 400_000)).toBe(true);
});

test('any number of machines takes a bounded memory', () => {
  const sent = new SentToDisk();
  for (let i = 0; i < 5000; i++) sent.send(`machine ${i}`, i);
  expect(sent.isSent('machine 0', 5000)).toBe(false);
  expect(sent.isSent('machine 4999', 5000)).toBe(true);
});
