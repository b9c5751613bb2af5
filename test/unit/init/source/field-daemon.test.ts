import { expect, test } from 'vitest';
import { fieldCommand, localDaemon } from '../../../../src/init/source/field-daemon.ts';

const ID = 'a'.repeat(64);
const asked = { peers: [], origins: [], limit: undefined };

test('a machine without the image joins by its id, and its root is the device', () => {
  const command = fieldCommand({
    name: 'debian',
    id: ID,
    imagePath: undefined,
    peers: ['10.0.0.1:20070'],
    origins: ['http://10.0.0.9/default.castr'],
    limit: '10M/none',
    site: 'room-3',
    keyFile: '/etc/viver/field.key',
    hasDevice: true,
  });
  expect(command.join(' ')).toBe(
    `/init field up --name debian --control /run/viver/field.sock --id ${ID} --peer 10.0.0.1:20070 ` +
      '--origin http://10.0.0.9/default.castr --limit 10M/none --site room-3 --key /etc/viver/field.key --nbd /dev/nbd0',
  );
});

test('an image on a medium is found after the switch too: through process 1', () => {
  const daemon = localDaemon({ name: 'debian', id: ID, path: '/run/viver/media/sda1/viver/debian.sqfs' }, asked, false);
  expect(fieldCommand(daemon)).toContain('/proc/1/root/run/viver/media/sda1/viver/debian.sqfs');
  expect(fieldCommand(daemon)).not.toContain('--nbd');
});

test('an image alone on a partition is opened there', () => {
  expect(fieldCommand(localDaemon({ name: 'debian', id: ID, path: '/dev/sda2' }, asked, false))).toContain('/dev/sda2');
});

test('peers that would have to be looked up are left out where the image is at hand anyway', () => {
  const peers = ['10.0.0.1', '10.0.0.2:7', '[::1]:8', 'boot.example.org'];
  expect(localDaemon({ name: 'd', id: ID, path: '/dev/sda2' }, { ...asked, peers }, true).peers).toEqual([
    '10.0.0.1',
    '10.0.0.2:7',
    '[::1]:8',
  ]);
});

test('a machine without a store takes over what the system before had in memory, and leaves its own to the next', () => {
  const request = { name: 'default', id: ID, imagePath: undefined, keyFile: undefined, hasDevice: true };
  expect(fieldCommand({ ...asked, ...request, carried: '/carried' }).join(' ')).toContain('--carried /carried');
});

test('a store on a local disk is reached through process 1, with what it may take', () => {
  const store = { path: '/run/viver/private/store/viver/store', keepBytes: 5_000_000 };
  const request = { name: 'default', id: undefined, imagePath: undefined, keyFile: undefined, hasDevice: true };
  expect(fieldCommand({ ...asked, ...request, store }).join(' ')).toContain(
    '--store /proc/1/root/run/viver/private/store/viver/store --keep 5000000',
  );
});
