import { assert, constantFrom, jsonValue, property } from 'fast-check';
import { expect, test } from 'vitest';
import { describeOverview, drawRates, drawStrip, status } from '../../../src/kit/status.ts';
import { checkMachineStatus, type MachineStatus } from '../../../src/runes/machine-status.ts';
import { checkOverview, type MachineView, makeOverview } from '../../../src/runes/overview/overview.ts';

const one: MachineStatus = {
  version: 1,
  hostname: 'debian-000001',
  role: 'boot-server',
  address: '10.86.0.1',
  mac: '52:54:00:00:00:01',
  booted: 'medium',
  image: { name: 'debian', id: 'abcdef0123456789' },
  canServe: true,
  secureBoot: null,
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
    origins: [],
    store: null,
    shutOut: [],
    limits: { up: null, down: null },
    refused: [],
  },
  strip: { held: '9'.repeat(100), copies: Array.from({ length: 100 }, () => 1) },
  uptimeSeconds: 60,
  boot: { medium: 'cd', seconds: 9.86, stages: [] },
  viver: '0.1.0',
  rates: { everySeconds: 5, in: [0, 2e6], out: [0, 0] },
  loading: [],
  images: [],
  rolls: [],
  health: null,
};
const view = (of: MachineStatus): MachineView => ({
  ...{ state: 'up', why: '', heardSeconds: 0 },
  address: of.address,
  status: of,
});
const two: MachineStatus = {
  ...one,
  hostname: 'two',
  role: 'node',
  booted: 'network',
  dhcp: null,
  field: null,
  strip: null,
};

test('a row for each machine, those that load, the redundancy below, and what is in trouble', () => {
  const loading = [
    { address: '10.86.0.7', mac: null, step: 'kernel' as const, share: 0.5, silentSeconds: 1, seconds: 8 },
  ];
  const others = [
    view({ ...two, plugins: [] }),
    {
      ...view(two),
      address: '10.86.0.3',
      state: 'silent' as const,
      why: 'no answer',
      heardSeconds: null,
      status: null,
    },
  ];
  const lines = describeOverview(makeOverview({ ...one, loading }, others, 0)).split('\n');
  expect(lines[0]).toBe('image debian@abcdef012345');
  expect(lines[2]).toMatch(
    /^debian-000001 {2}10\.86\.0\.1 {2}boot-server {2}0\.1\.0 {2}up 60 s, boots others \(full DHCP\) +medium 9\.9 s +100\/100 +█{16} +2\.0 MB\/s in, 0\.0 MB\/s out +█$/,
  );
  expect(lines[3]).toMatch(/^10\.86\.0\.3 +10\.86\.0\.3 +does not answer \(no answer\)$/);
  expect(lines[4]).toMatch(/^two +10\.86\.0\.1 +node +0\.1\.0 +up 60 s +network 9\.9 s +– /);
  expect(lines.slice(5)).toEqual([
    'boots: 10.86.0.7 loads the kernel, 50 % (8 s)',
    'every chunk is held 1 times at least, 1.5 times in the mean',
    '! Parts of the image are on debian-000001 only: leave it on until every part is held twice.',
    '! 10.86.0.3 does not answer.',
    '! debian-000001: plugin resolv failed: no room',
    '',
  ]);
});

test('rates are drawn on a scale of their own, and little is little', () => {
  expect(drawRates({ everySeconds: 5, in: [0, 0, 0, 0, 0, 8e6], out: [0, 0, 0, 0, 0, 8e6] }, 12)).toBe(' █');
  expect(drawRates({ everySeconds: 5, in: [10], out: [0] })).toBe(' ');
  expect(drawRates(null)).toBe('');
});

test('a strip is drawn with as many columns as asked', () => {
  expect(drawStrip('9900', 4)).toBe('██░░');
  expect(drawStrip('9181', 2)).toBe('▓▓');
  expect(drawStrip('90', 8)).toBe('████░░░░');
  expect(drawStrip('', 8)).toBe('');
});

test('whatever a machine says of itself, it is refused or shown, with its neighbours', () => {
  assert(
    property(constantFrom(...Object.keys(one)), jsonValue(), (part, odd) => {
      let said: MachineStatus;
      try {
        said = checkMachineStatus({ ...one, [part]: odd });
      } catch (error) {
        expect(String(error)).toMatch(/machine status|no machine status/);
        return;
      }
      const overview = makeOverview(two, [view(said)], 0);
      expect(describeOverview(checkOverview(JSON.parse(JSON.stringify(overview))))).toContain('two');
    }),
  );
});

test('whatever is called an overview is one or is refused', () => {
  const whole = makeOverview(one, [view(two)], 0);
  assert(
    property(constantFrom(...Object.keys(whole)), jsonValue(), (part, odd) => {
      try {
        describeOverview(checkOverview(JSON.parse(JSON.stringify({ ...whole, [part]: odd }))));
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        expect(error).not.toBeInstanceOf(TypeError);
      }
    }),
  );
});

test('what peers say reaches no terminal as it is', () => {
  const evil = [{ name: 'x\x1b]0;root\x07', state: 'failed' as const, why: 'a\nimage debian\x1b[2J' }];
  const text = describeOverview(makeOverview({ ...one, plugins: evil }, [], 0));
  expect(text).not.toContain('\x1b');
  expect(text.trimEnd().split('\n').at(-1)).toBe(
    '! debian-000001: plugin x\\x1b]0;root\\x07 failed: a\\x0aimage debian\\x1b[2J',
  );
});

test('watching goes on while nobody answers, until a signal', async () => {
  const startMs = performance.now();
  await status.run(['--watch', '--host', '127.0.0.1:1'], AbortSignal.timeout(300));
  expect(performance.now() - startMs).toBeGreaterThan(250);
});
