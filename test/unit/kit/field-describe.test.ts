import { expect, test } from 'vitest';
import type { FieldStatus } from '../../../src/field/status.ts';
import { describe } from '../../../src/kit/field/control.ts';

const status: FieldStatus = {
  image: { id: 'ab'.repeat(32), name: 'debian', size: 4e6, chunks: 9 },
  node: { id: '1', address: '10.0.0.1:20070', held: 3 },
  peers: [],
  redundancy: { min: 0, mean: 1 },
  traffic: { fromPeers: 0, fromMedium: 0, fromOrigin: 2e6, toPeers: 0, rejected: 0 },
  origins: [
    { name: 'http://a/', state: 'asked', bytes: 2e6, rate: 5e6, failures: 0, fault: null },
    { name: 'http://b/', state: 'resting', bytes: 0, rate: null, failures: 3, fault: 'HTTP 503' },
  ],
  store: null,
  shutOut: [],
  limits: { up: null, down: null },
  refused: [],
};

test('the status for people names each web server, and what is wrong with it', () => {
  const lines = describe(status).split('\n');
  expect(lines).toContain('origin http://a/ is asked; 2.0 MB came from it, 5.0 MB a second');
  expect(lines).toContain('origin http://b/ is left alone for a while; 0.0 MB came from it: HTTP 503');
});
