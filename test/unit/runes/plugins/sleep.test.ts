import { expect, test } from 'vitest';
import sleep, { sleepConf } from '../../../../src/runes/plugins/sleep.ts';
import { fakeRoot } from '../fake-root.ts';

const machine = (booted: 'medium' | 'network') => ({
  machine: { ...fakeRoot().root.machine, booted },
});
const SYSTEMD = { '/usr/lib/systemd/systemd-sleep': '' };
const PATH = '/run/systemd/sleep.conf.d/viver.conf';

test('a machine whose root comes over the network offers no sleep at all; another may suspend', async () => {
  const network = fakeRoot(SYSTEMD, machine('network'));
  await sleep.prepare?.(network.root);
  expect(network.changes[PATH]).toMatch(/^\[Sleep\]\nAllowSuspend=no\nAllowHibernation=no\n/m);
  const medium = fakeRoot(SYSTEMD, machine('medium'));
  await sleep.prepare?.(medium.root);
  expect(medium.changes[PATH]).toBe(sleepConf(false));
  expect(medium.changes[PATH]).not.toContain('AllowSuspend=');
  expect(medium.changes[PATH]).toContain('AllowHibernation=no\n');
});

test('nothing is written where nobody reads it', async () => {
  const { root, changes } = fakeRoot({}, { init: 'runit' });
  await sleep.prepare?.(root);
  expect(changes).toEqual({});
});
