import { expect, test } from 'vitest';
import resolv from '../../../../src/runes/plugins/resolv.ts';
import { fakeRoot } from '../fake-root.ts';

const OURS = '/run/viver/resolv.conf';

test('the link to the file of the network’s servers leads to a file, though no server is known yet', () => {
  const { root, changes } = fakeRoot({});
  resolv.prepare?.(root);
  expect(root.linkTarget('/etc/resolv.conf')).toBe(OURS);
  expect(changes[OURS]).toMatch(/^# /);
});

test('what the boot has written there stays', () => {
  const { root, changes } = fakeRoot({ [OURS]: 'nameserver 10.0.0.1\n' });
  resolv.prepare?.(root);
  expect(root.linkTarget('/etc/resolv.conf')).toBe(OURS);
  expect(OURS in changes).toBe(false);
});

test('where the image keeps its own nothing is written', () => {
  const { root, changes } = fakeRoot({ '/etc/resolv.conf': 'nameserver 9.9.9.9\n' });
  resolv.prepare?.(root);
  expect(changes).toEqual({});
});
