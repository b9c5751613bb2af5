import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseBootReport, readMachine, wordOf } from '../../../src/runes/machine.ts';
import { checkMachineStatus } from '../../../src/runes/machine-status.ts';

test('the last word of a name on the command line counts, and none after --', () => {
  expect(wordOf('viver.role=a quiet viver.role=b -- viver.role=c', 'viver.role')).toBe('b');
  expect(wordOf('viver.role=', 'viver.role')).toBeUndefined();
  expect(wordOf('xviver.role=a', 'viver.role')).toBeUndefined();
});

test('the boot report tells how the machine booted and where its image is', () => {
  const image = { name: 'debian', id: 'ab', path: '/run/viver/media/sr0/viver/debian.sqfs' };
  expect(parseBootReport(JSON.stringify({ medium: 'cd', image }))).toEqual({ booted: 'medium', image });
  expect(parseBootReport(JSON.stringify({ medium: 'net', image: { ...image, id: null } }))).toEqual({
    booted: 'network',
    image: { name: 'debian', id: undefined, path: undefined },
  });
  expect(parseBootReport('{"ready":false}')).toEqual({ booted: 'medium', image: undefined });
});

test('a card that goes while its address is read (ENODEV, as here EISDIR) costs the machine nothing', () => {
  const interfaces = mkdtempSync(join(tmpdir(), 'viver-cards-'));
  try {
    for (const name of ['lo', 'eth0', 'eth1', 'eth2']) mkdirSync(join(interfaces, name));
    mkdirSync(join(interfaces, 'eth0/address'));
    writeFileSync(join(interfaces, 'eth2/address'), '52:54:00:00:00:02\n');
    const places = { report: '/nowhere', commandLine: '/nowhere' };
    expect(readMachine({ ...places, interfaces }).macs).toEqual(['52:54:00:00:00:02']);
    expect(readMachine({ ...places, interfaces: '/nowhere' }).macs).toEqual([]);
  } finally {
    rmSync(interfaces, { recursive: true });
  }
});

const status = {
  version: 1,
  hostname: 'm',
  role: 'node',
  address: '10.86.0.1',
  mac: '52:54:00:00:00:01',
  booted: 'network',
  image: { name: 'debian', id: null },
  canServe: true,
  dhcp: { mode: 'standby', why: '' },
  tftp: null,
  load: { transfers: 0, sentBytes: 0 },
  refused: {},
  plugins: [],
  field: null,
  strip: null,
  uptimeSeconds: 1,
  boot: null,
  viver: '0.1.0',
  rates: null,
  loading: [],
  images: [],
  rolls: [],
  secureBoot: null,
  health: null,
};

test("another machine's status is taken when it is one", () => {
  expect(checkMachineStatus({ ...status, ofTomorrow: 'x'.repeat(100) })).toEqual(status);
});

test('of an older VIVER, what it did not say yet is filled in', () => {
  const { viver, rates, loading, images, rolls, health, ...older } = status;
  const filled = { viver: null, rates: null, loading: [], images: [], rolls: [], health: null };
  expect(checkMachineStatus(older)).toEqual({ ...older, ...filled });
});

test.each([
  ['another version', { version: 2 }],
  ['a name that is markup', { hostname: '<script>' }],
  ['a mode that is none', { dhcp: { mode: 'all' } }],
  ['a load that is no number', { load: { transfers: '1' } }],
  ['a strip that is no digits', { strip: { held: 'x', copies: [] } }],
  ['a profile that is no digits', { strip: { held: '9', copies: [], read: { parts: '<b>', boots: 1, chunks: 1 } } }],
  ['a profile of markup boots', { strip: { held: '9', copies: [], read: { parts: '9', boots: '<b>', chunks: 1 } } }],
  ['a field without its node', { field: {} }],
  ['rates without end', { rates: { everySeconds: 5, in: Array(61).fill(1), out: [] } }],
  ['a rate that is no number', { rates: { everySeconds: 5, in: ['1'], out: [] } }],
  [
    'a loading machine at no step',
    { loading: [{ address: '1.2.3.4', mac: null, step: 'x', share: 0, silentSeconds: 0, seconds: 0 }] },
  ],
])('%s is refused', (_, change) => {
  expect(() => checkMachineStatus({ ...status, ...change })).toThrow(/machine status/);
});
