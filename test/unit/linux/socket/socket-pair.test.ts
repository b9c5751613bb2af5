import { closeSync, readSync, writeSync } from 'node:fs';
import { expect, test } from 'vitest';
import { socketPair } from '../../../../src/linux/socket/socket-pair.ts';

test('what is written to one socket of a pair comes out of the other, both ways', () => {
  const { first, second } = socketPair();
  const bytes = Buffer.alloc(10);
  for (const [from, to] of [
    [first, second],
    [second, first],
  ] as const) {
    writeSync(from, 'ping');
    expect(bytes.toString('utf8', 0, readSync(to, bytes))).toBe('ping');
  }
  closeSync(first);
  expect(readSync(second, bytes)).toBe(0);
  closeSync(second);
});
