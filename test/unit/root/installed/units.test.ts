import { expect, test } from 'vitest';
import { devicesOf, isUnitOfDisk } from '../../../../src/root/installed/units.ts';

test('a mount or swap unit is judged by its own section as a row of fstab is', () => {
  const mount = (...lines: string[]) => `[Unit]\nDescription=x\n[Mount]\n${lines.join('\n')}\n[Install]\nWantedBy=x\n`;
  const local = [
    mount('What=/dev/disk/by-uuid/1', 'Where=/srv', 'Type=ext4'),
    mount('What = UUID=1', 'Where=/srv'),
    mount('What="/dev/sda1"', 'Where=/srv'),
    mount('What=tmpfs', 'What=\\', '/dev/sda1', 'Where=/x'),
    mount('What=tank/x', 'Type=zfs'),
  ];
  for (const text of local) expect(isUnitOfDisk('srv.mount', text), text).toBe(true);
  const others = [
    mount('What=tmpfs', 'Where=/tmp', 'Type=tmpfs', 'Options=mode=1777'),
    mount('What=host:/x', 'Where=/x', 'Type=nfs'),
    mount('What=/srv/a', 'Where=/b', 'Options=bind'),
    '[Unit]\nWhat=/dev/sda1\n',
    '',
  ];
  for (const text of others) expect(isUnitOfDisk('srv.mount', text), text).toBe(false);
  expect(isUnitOfDisk('swapfile.swap', '[Swap]\nWhat=/swapfile\n')).toBe(true);
  expect(isUnitOfDisk('dev-zram0.swap', '[Swap]\nWhat=/dev/zram0\n')).toBe(false);
});

test('devices that a service waits for', () => {
  const text = `[Unit]
Requires=dev-disk-by\\x2duuid-1\\x2d2.device network.target
After=dev-disk-by\\x2duuid-1\\x2d2.device
BindsTo = dev-zram0.device
Wants=dev-sdb1.device
[Service]
ExecStart=/bin/true Requires=dev-no.device
`;
  expect(devicesOf(text)).toEqual(['dev-disk-by\\x2duuid-1\\x2d2.device', 'dev-sdb1.device']);
});
