import { expect, test } from 'vitest';
import { hostnameFor, hostsWith, machineIdFor, writeMachineId } from '../../../../src/runes/plugins/hostname.ts';
import { fakeRoot } from '../fake-root.ts';

const machine = {
  commandLine: '',
  bootMac: undefined,
  macs: ['52:54:00:12:34:56', '02:00:00:aa:bb:cc'],
  uuid: undefined,
  chance: '0c0c0c',
};

test("a machine's name has part of the MAC it was booted by", () => {
  expect(hostnameFor({ ...machine, bootMac: '52:54:00:12:34:56' }, 'debian\n')).toBe('debian-123456');
  expect(hostnameFor(machine, 'debian.example.org')).toBe('debian-aabbcc');
  expect(hostnameFor(machine, undefined)).toBe('viver-aabbcc');
  expect(hostnameFor(machine, 'localhost')).toBe('viver-aabbcc');
});

test('without a MAC its main board tells it apart, and without that chance', () => {
  const uuid = '4C4C4544-0051-3310-8057-B4C04F4A3132';
  const name = hostnameFor({ ...machine, macs: [], uuid }, 'debian');
  expect(name).toMatch(/^debian-[0-9a-f]{6}$/);
  expect(hostnameFor({ ...machine, macs: [], uuid: uuid.toLowerCase() }, name)).toBe(name);
  for (const none of [undefined, '00000000-0000-0000-0000-000000000000', 'Not Settable'])
    expect(hostnameFor({ ...machine, macs: [], uuid: none }, 'debian')).toBe('debian-0c0c0c');
});

test('at the next boot of a disk that keeps what is written it is the same', () => {
  expect(hostnameFor(machine, hostnameFor(machine, 'debian'))).toBe('debian-aabbcc');
});

test('what the DHCP server calls the machine comes after viver.hostname= and before a made name', () => {
  expect(hostnameFor(machine, 'debian', 'desk7.example.org')).toBe('desk7.example.org');
  const asked = { ...machine, commandLine: 'viver.hostname=mine' };
  expect(hostnameFor(asked, 'debian', 'desk7')).toBe('mine');
  for (const leased of ['localhost', 'localhost.localdomain', 'a_b', `${'a'.repeat(60)}.${'b'.repeat(60)}`])
    expect(hostnameFor(machine, 'debian', leased)).toBe('debian-aabbcc');
});

test('viver.hostname= is taken, nonsense is not', () => {
  expect(hostnameFor({ ...machine, commandLine: 'viver.hostname=node7.lab' }, 'x')).toBe('node7.lab');
  expect(hostnameFor({ ...machine, commandLine: 'viver.hostname=-$(reboot)' }, 'x')).toBe('x-aabbcc');
});

test('/etc/hosts names this machine and keeps its other rows', () => {
  expect(hostsWith('127.0.0.1 localhost\n127.0.1.1 old\n10.0.0.1 server\n', 'new')).toBe(
    '127.0.0.1 localhost\n127.0.1.1\tnew\n10.0.0.1 server\n',
  );
  expect(hostsWith(undefined, 'new')).toContain('127.0.1.1\tnew\n');
  expect(hostsWith(hostsWith(undefined, 'new'), 'new')).toBe(hostsWith(undefined, 'new'));
});

const board = { uuid: '4C4C4544-0051-3310-8057-B4C04F4A3132', serials: ['s'], boardSerial: undefined };
const marks = { ...board, bootMac: undefined, macs: ['52:54:00:12:34:56'] };
const CHANCE = '0'.repeat(31).concat('1');
const KEPT = 'a'.repeat(32);

test('a machine id is the hardware’s whatever the image or an earlier boot had; the kernel’s word is above', () => {
  const id = machineIdFor('', marks, undefined, CHANCE);
  expect(id).toMatch(/^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  expect(machineIdFor('', { ...marks, bootMac: '02:00:00:00:00:01', macs: [] }, KEPT, CHANCE)).toBe(id);
  expect(machineIdFor(`systemd.machine_id=${KEPT}`, marks, undefined, CHANCE)).toBe(KEPT);
  expect(machineIdFor('systemd.machine_id=nonsense', marks, undefined, CHANCE)).toBe(id);
  const none = { uuid: undefined, serials: [], boardSerial: undefined, bootMac: undefined, macs: [] };
  expect(machineIdFor('', none, KEPT, CHANCE)).toBe(KEPT);
  expect(machineIdFor('', none, 'uninitialized', CHANCE)).toBe(CHANCE);
});

test('the image’s machine id is replaced, dbus’ own file too', () => {
  const { root, changes } = fakeRoot({ '/etc/machine-id': KEPT, '/var/lib/dbus/machine-id': KEPT });
  writeMachineId(root, marks);
  expect(changes['/etc/machine-id']).toBe(`${machineIdFor('', marks, undefined, CHANCE)}\n`);
  expect(changes['/var/lib/dbus/machine-id']).toBe(changes['/etc/machine-id']);
});
