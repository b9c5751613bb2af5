import { expect, test } from 'vitest';
import type { MachineStatus } from '../../../../src/runes/machine-status.ts';
import type { MachineView } from '../../../../src/runes/overview/overview.ts';
import { findTroubles } from '../../../../src/runes/overview/troubles.ts';
import type { RollView } from '../../../../src/runes/roll/view.ts';
import { simulatedStatus } from '../../../field/status/crowd.ts';

type Change = Partial<MachineStatus>;

const view = (number: number, change: Change = {}, of: Partial<MachineView> = {}): MachineView => {
  const address = `10.86.0.${number + 1}`;
  return {
    address,
    state: 'up',
    why: '',
    heardSeconds: 1,
    status: { ...simulatedStatus(number, address), ...change },
    ...of,
  };
};
const stoppedRoll: RollView = {
  ...{ name: 'class', version: 7, image: { name: 'class-7', id: '07'.repeat(32) }, for: ['all'], when: 'reboot' },
  ...{ expires: '2026-12-27T16:40:00Z', isExpired: false, keyId: null, instead: null },
  ...{ stopped: 'pc-3 had no network', healthy: 1, booting: 0, failed: [] },
};
const field = (number: number, change: object) => {
  const { field: whole } = simulatedStatus(number, '10.86.0.1');
  return { field: whole === null ? null : { ...whole, ...change } };
};

test('when all is well nothing is said', () => {
  expect(findTroubles([view(0), view(1), view(2)], [])).toEqual([]);
  expect(findTroubles([view(0, field(0, { redundancy: { min: 1, mean: 1 } }))], [])).toEqual([]);
});

test.each<[string, MachineView[], RegExp]>([
  [
    'nobody has a part',
    [view(0, field(0, { redundancy: { min: 0, mean: 1 } }))],
    /^Parts of the image are on no machine/,
  ],
  [
    'one machine alone has a part',
    [view(0, field(0, { redundancy: { min: 1, mean: 1 } })), view(1)],
    /are on teacher only: leave it on/,
  ],
  [
    'a roll-out has stopped, as two servers say',
    [view(0, { rolls: [stoppedRoll] }), view(1, { rolls: [stoppedRoll] })],
    /^The roll-out of class 7 has stopped: pc-3 had no network\.$/,
  ],
  [
    'one has not come up well',
    [view(0), view(1, { health: { state: 'failed', why: '/etc/viver/healthy.d/10-net: exit status 1' } })],
    /^pc-1 has not come up well: \/etc\/viver\/healthy\.d\/10-net: exit status 1$/,
  ],
  ['one is silent', [view(0), view(1, {}, { state: 'silent' })], /^pc-1 does not answer\.$/],
  [
    'many are silent',
    [view(0), ...[1, 2, 3, 4, 5, 6, 8, 9].map((n) => view(n, {}, { state: 'silent' }))],
    /^pc-1, pc-2, pc-3, pc-4, pc-5, pc-6 and 2 more do not answer\.$/,
  ],
  [
    'answers that are none',
    [view(0), view(1, {}, { state: 'broken', why: 'no JSON' })],
    /^pc-1: what it answers is no status \(no JSON\)\.$/,
  ],
  [
    'nobody serves',
    [view(0, { dhcp: { mode: 'standby', why: 'viver.serve=none' } })],
    /^No machine boots others now: viver\.serve=none\.$/,
  ],
  [
    'two serve',
    [view(0), view(1, { dhcp: { mode: 'full', why: '' } })],
    /^teacher and pc-1 boot others at the same time/,
  ],
  [
    'one plugin failed on two machines',
    [view(0), ...[1, 2].map((n) => view(n, { plugins: [{ name: 'resolv', state: 'failed', why: 'no room' }] }))],
    /^pc-1 and pc-2: plugin resolv failed: no room$/,
  ],
  [
    'another version',
    [view(0), view(1, { viver: '0.0.9' })],
    /^pc-1 runs another VIVER than this machine: 0\.0\.9, here 0\.1\.0\.$/,
  ],
  [
    'false data',
    [view(0, field(0, { shutOut: [{ id: 'ab', reason: 'a false chunk' }] }))],
    /^teacher has shut out the machine ab: a false chunk$/,
  ],
])('%s', (_, views, words) => {
  const troubles = findTroubles(views, []);
  expect(troubles).toHaveLength(1);
  expect(troubles[0]).toMatch(words);
});

test('a machine that came no further for a minute is named with where it stands', () => {
  const one = { address: '10.86.0.9', mac: '52:54:00:00:00:09', step: 'kernel' as const, share: 0.8, seconds: 90 };
  expect(findTroubles([view(0)], [{ ...one, silentSeconds: 59 }])).toEqual([]);
  expect(findTroubles([view(0)], [{ ...one, silentSeconds: 75 }])).toEqual([
    '10.86.0.9 (52:54:00:00:00:09) was heard 75 s ago last: it loads the kernel, 80 %.',
  ]);
});
