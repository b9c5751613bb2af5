import { expect, test } from 'vitest';
import { adjtimeFor } from '../../../../src/root/installed/services.ts';
import otherHardware from '../../../../src/runes/plugins/other-hardware.ts';
import x11 from '../../../../src/runes/plugins/x11.ts';
import { fakeRoot } from '../fake-root.ts';

const ZFS = {
  '/usr/lib/systemd/system/zfs-import-cache.service': '',
  '/usr/lib/systemd/system/zfs-import-scan.service': '',
  '/usr/lib/systemd/system/ssh.service': '',
  '/usr/lib/systemd/system-generators/zfs-mount-generator': '',
  '/etc/zfs/zpool.cache': 'of the image',
  '/etc/zfs/zfs-list.cache/tank': 'of the image',
};
const MASK = '→ /dev/null';

test('pools of another machine are not imported, those of a person are', async () => {
  const { root, changes } = fakeRoot(ZFS);
  await otherHardware.prepare?.(root);
  expect(changes).toEqual({
    '/run/systemd/system.control/zfs-import-cache.service': MASK,
    '/run/systemd/system.control/zfs-import-scan.service': MASK,
    '/run/systemd/system-generators/zfs-mount-generator': MASK,
  });
  const own = fakeRoot(ZFS, { kept: { '/etc/zfs/zpool.cache': 'mine', '/etc/zfs/zfs-list.cache/tank': 'mine' } });
  await otherHardware.prepare?.(own.root);
  expect(own.changes).toEqual({});
});

test('each init system has its own way to leave a service out', async () => {
  const image = {
    '/etc/init.d/fancontrol': '',
    '/etc/rc2.d/S01fancontrol': '→ ../init.d/fancontrol',
    '/etc/rc2.d/S01cron': '→ ../init.d/cron',
    '/etc/rc0.d/K01fancontrol': '→ ../init.d/fancontrol',
    '/etc/runlevels/default/fancontrol': '→ /etc/init.d/fancontrol',
    '/etc/service/fancontrol/run': '',
  };
  const gone = async (init: 'sysvinit' | 'openrc' | 'runit' | 'busybox') => {
    const { root, changes } = fakeRoot(image, { init });
    await otherHardware.prepare?.(root);
    return changes;
  };
  expect(await gone('sysvinit')).toEqual({ '/etc/rc2.d/S01fancontrol': undefined });
  expect(await gone('openrc')).toEqual({
    '/etc/rc2.d/S01fancontrol': undefined,
    '/etc/runlevels/default/fancontrol': undefined,
  });
  expect(await gone('runit')).toEqual({ '/etc/service/fancontrol/down': '' });
  expect(await gone('busybox')).toEqual({});
});

test('names of cards and a swap to wake up from are forgotten', async () => {
  const { root, changes } = fakeRoot({
    '/etc/udev/rules.d/70-persistent-net.rules': 'SUBSYSTEM=="net", ATTR{address}=="00:11:22:33:44:55", NAME="eth0"\n',
    '/etc/udev/rules.d/99-mine.rules': 'KERNEL=="sr0", SYMLINK+="cdrom"\n',
    '/etc/systemd/network/10-lan.link': '[Match]\nMACAddress=00:11:22:33:44:55\n[Link]\nName=lan0\n',
    '/etc/initramfs-tools/conf.d/resume': 'RESUME=UUID=1\n',
    '/etc/modules': 'nct6775\n',
  });
  await otherHardware.prepare?.(root);
  expect(Object.keys(changes).sort()).toEqual([
    '/etc/initramfs-tools/conf.d/resume',
    '/etc/systemd/network/10-lan.link',
    '/etc/udev/rules.d/70-persistent-net.rules',
    '/run/systemd/system/systemd-modules-load.service.d/viver.conf',
  ]);
});

test("X: what names a card is put aside unless a person wrote it, and a mouse's driver is no card's", async () => {
  const image = {
    '/usr/bin/Xorg': '',
    '/etc/X11/xorg.conf': 'Section "Device"\n  Identifier "x"\n  Driver "nvidia"\nEndSection\n',
    '/etc/X11/xorg.conf.d/20-card.conf': 'Section "Device"\n  BusID "PCI:1:0:0"\nEndSection\n',
    '/etc/X11/xorg.conf.d/40-pad.conf': 'Section "InputClass"\n  Driver "synaptics"\nEndSection\n',
  };
  const { root, changes } = fakeRoot(image, { kept: { '/etc/X11/xorg.conf': `${image['/etc/X11/xorg.conf']}# mine` } });
  await x11.prepare?.(root);
  expect(Object.keys(changes)).toEqual([
    '/etc/X11/xorg.conf.d/00-viver.conf',
    '/etc/X11/xorg.conf.d/20-card.conf',
    '/etc/X11/xorg.conf.d/20-card.conf.of-the-image',
  ]);
});

test("another machine's brightness, radios and clock are not set here; UTC or local time stays as the image has it", async () => {
  const { root, changes } = fakeRoot({
    '/var/lib/systemd/backlight/pci-0000:00:02.0:backlight:intel_backlight': '0\n',
    '/var/lib/systemd/rfkill/platform-x:wlan': '1\n',
    '/var/lib/chrony/chrony.drift': '12.3 0.1\n',
    '/etc/adjtime': '-2.515432 1663592400 0.000000\n1663592400\nLOCAL\n',
  });
  await otherHardware.prepare?.(root);
  expect(Object.values(changes).filter((text) => text === undefined)).toHaveLength(3);
  expect(changes['/etc/adjtime']).toBe('0.0 0 0.0\n0\nLOCAL\n');
  expect(adjtimeFor('0.0 0 0.0\n0\nUTC\n')).toBeUndefined();
  expect(adjtimeFor('')).toBe('0.0 0 0.0\n0\nUTC\n');
});
