import { expect, test } from 'vitest';
import { describeJoin } from '../../../../src/init/source/join-field.ts';

const origin = (name: string, fault: string | null) =>
  ({ name, state: 'resting', bytes: 0, rate: null, failures: 0, fault }) as const;
const peer = {
  id: 'a',
  address: '10.0.0.1:20070',
  held: 0,
  rttMs: null,
  traffic: { from: 0, to: 0, rejected: 0 },
};

test.each([
  ['the daemon does not answer yet', undefined],
  ['no node has let it in', { peers: [], origins: [], image: { chunks: 0 } }],
  ['1 nodes, waits for the index', { peers: [peer], origins: [], image: { chunks: 0 } }],
  ['1 nodes, 7 chunks', { peers: [peer], origins: [], image: { chunks: 7 } }],
  ['1 origins, 7 chunks', { peers: [], origins: [origin('http://a/', null)], image: { chunks: 7 } }],
  [
    '1 nodes, 2 origins, waits for the index, origin http://b/: HTTP 503',
    { peers: [peer], origins: [origin('http://a/', null), origin('http://b/', 'HTTP 503')], image: { chunks: 0 } },
  ],
] as const)('a machine that waits for its image says: %s', (text, status) => {
  expect(describeJoin(status)).toBe(text);
});

test('of many web servers that give nothing three are told of', () => {
  const origins = Array.from({ length: 9 }, (_, i) => origin(`http://${i}/`, 'no answer'));
  expect(describeJoin({ peers: [], origins, image: { chunks: 0 } }).match(/no answer/g)).toHaveLength(3);
});
