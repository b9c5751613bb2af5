import { assert, constantFrom, jsonValue, property } from 'fast-check';
import { expect, test } from 'vitest';
import { describeMachines, drawStrip, parseMachines, status } from '../../../src/kit/status.ts';
import type { MachineStatus } from '../../../src/runes/machine-status.ts';

const one: MachineStatus = {
  version: 1,
  hostname: 'debian-000001',
  role: 'boot-server',
  address: '10.86.0.1',
  mac: '52:54:00:00:00:01',
  booted: 'medium',
  image: { name: 'debian', id: 'abcdef0123456789' },
  canServe: true,
  dhcp: { mode: 'full', why: '' },
  tftp: null,
  load: { transfers: 0, sentBytes: 0 },
  refused: {},
  plugins: [{ name: 'resolv', state: 'failed', why: 'no room' }],
  field: {
    image: { id: 'abcdef0123456789', name: 'debian', size: 5e8, chunks: 100 },
    node: { id: 'a', address: '0.0.0.0:20070', held: 100 },
    peers: [],
    redundancy: { min: 1, mean: 1.5 },
    traffic: { fromPeers: 0, fromMedium: 5e6, fromOrigin: 0, toPeers: 25e7, rejected: 0 },
    shutOut: [],
  },
  strip: { held: '9'.repeat(100), copies: Array.from({ length: 100 }, () => 1) },
  uptimeSeconds: 60,
  boot: { medium: 'cd', seconds: 9.86, stages: [] },
};
const two: MachineStatus = {
  ...one,
  hostname: 'two',
  role: 'node',
  booted: 'network',
  dhcp: null,
  field: null,
  strip: null,
};

test('a row for each machine, the redundancy below, and what is in trouble', () => {
  const lines = describeMachines([one, { ...two, plugins: [] }]).split('\n');
  expect(lines[0]).toBe('image debian@abcdef012345');
  expect(lines[2]).toMatch(
    /^debian-000001 {2}10\.86\.0\.1 {2}boot-server, full DHCP {2}medium 9\.9 s {3}100\/100 {2}0\.0 MB {6}250 MB {4}█{32}$/,
  );
  expect(lines[3]).toMatch(/^two +10\.86\.0\.1 +node +network 9\.9 s +– +– +–$/);
  expect(lines[4]).toBe('every chunk is held 1 times at least, 1.5 times in the mean');
  expect(lines[5]).toBe('debian-000001: plugin resolv failed: no room');
});

test('a strip is drawn with as many columns as asked', () => {
  expect(drawStrip('9900', 4)).toBe('██░░');
  expect(drawStrip('9181', 2)).toBe('▓▓');
  expect(drawStrip('90', 8)).toBe('████░░░░');
  expect(drawStrip('', 8)).toBe('');
});

test('a machine whose status is odd is left out, whatever is odd, and the others are shown', () => {
  assert(
    property(constantFrom(...Object.keys(one)), jsonValue(), (part, odd) => {
      const text = JSON.stringify([two, { ...one, [part]: odd }]);
      const machines = parseMachines(text, () => {});
      expect(machines.length).toBeGreaterThanOrEqual(1);
      expect(describeMachines(machines)).toContain('two');
    }),
  );
  expect(() => parseMachines('{}', () => {})).toThrow('no list of machines');
});

test('what peers say reaches no terminal as it is', () => {
  const evil = [{ name: 'x\x1b]0;root\x07', state: 'failed' as const, why: 'a\nimage debian\x1b[2J' }];
  const text = describeMachines(parseMachines(JSON.stringify([{ ...one, plugins: evil }]), () => {}));
  expect(text).not.toContain('\x1b');
  expect(text.trimEnd().split('\n').at(-1)).toBe(
    'debian-000001: plugin x\\x1b]0;root\\x07 failed: a\\x0aimage debian\\x1b[2J',
  );
});

test('watching goes on while nobody answers, until a signal', async () => {
  const startMs = performance.now();
  await status.run(['--watch', '--host', '127.0.0.1:1'], AbortSignal.timeout(300));
  expect(performance.now() - startMs).toBeGreaterThan(250);
});
