import { expect, test } from 'vitest';
import fstab from '../../../../src/runes/plugins/fstab.ts';
import { fakeRoot } from '../fake-root.ts';

const ROW = 'UUID=1 /x ext4 defaults 0 2\n';
const IMAGE = {
  '/etc/fstab': ROW,
  '/etc/crypttab': 'c UUID=2 none luks\n',
  '/etc/systemd/system/srv.mount': '[Mount]\nWhat=/dev/sda1\nWhere=/srv\n',
  '/etc/systemd/system/srv.automount': '[Automount]\nWhere=/srv\n',
  '/etc/systemd/system/tmp.mount': '[Mount]\nWhat=tmpfs\nWhere=/tmp\nType=tmpfs\n',
  '/etc/systemd/system/own.service': '[Unit]\nBindsTo=dev-sdb1.device\n',
};

test('disks of the machine the image was installed on are neither mounted nor waited for', async () => {
  const { root, changes } = fakeRoot(IMAGE);
  await fstab.prepare?.(root);
  expect(changes).toEqual({
    '/etc/fstab': expect.stringMatching(/\n# VIVER: UUID=1 /),
    '/etc/crypttab': expect.stringMatching(/^# VIVER: c /),
    '/run/systemd/system.control/srv.mount': '→ /dev/null',
    '/run/systemd/system.control/srv.automount': '→ /dev/null',
    '/run/systemd/system/dev-sdb1.device.d/viver.conf': expect.stringContaining('JobRunningTimeoutSec=5s'),
  });
});

test('what a person wrote on a machine whose writes are kept acts', async () => {
  const kept = { '/etc/fstab': `${ROW}UUID=2 /mine ext4 defaults 0 2\n`, '/etc/crypttab': 'mine UUID=3 none luks\n' };
  const unit = { '/etc/systemd/system/srv.mount': '[Mount]\nWhat=/dev/sdz1\nWhere=/srv\n' };
  const { root, changes } = fakeRoot(IMAGE, { kept: { ...kept, ...unit } });
  await fstab.prepare?.(root);
  expect(Object.keys(changes)).toEqual(['/run/systemd/system/dev-sdb1.device.d/viver.conf']);
});

test('without systemd there are no units to mask', async () => {
  const { root, changes } = fakeRoot(IMAGE, { init: 'runit' });
  await fstab.prepare?.(root);
  expect(Object.keys(changes).sort()).toEqual(['/etc/crypttab', '/etc/fstab']);
});

test('a table or unit that is a link is read through it, and replaced by a file', async () => {
  const { root, changes } = fakeRoot({
    '/etc/fstab': '→ static/fstab',
    '/etc/static/fstab': ROW,
    '/etc/systemd/system/x.mount': '→ /opt/x.mount',
    '/opt/x.mount': '[Mount]\nWhat=/dev/sda1\nWhere=/x\n',
    '/etc/systemd/system/y.mount': '→ y.mount',
  });
  await fstab.prepare?.(root);
  expect(changes).toEqual({
    '/etc/fstab': expect.stringMatching(/\n# VIVER: UUID=1 /),
    '/run/systemd/system.control/x.mount': '→ /dev/null',
  });
});
