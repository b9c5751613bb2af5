import { expect, test } from 'vitest';
import networkQuiet, { keptMac, quietInterfaces } from '../../../../src/runes/plugins/network-quiet.ts';
import { fakeRoot } from '../fake-root.ts';

test('ifupdown forgets hardware interfaces, and keeps lo and virtual ones', () => {
  const before = `source /etc/network/interfaces.d/*
auto lo eth0
iface lo inet loopback
allow-hotplug enp3s0
iface enp3s0 inet dhcp
    hostname x

# a bridge
auto br0
iface br0 inet static
    address 10.0.0.1/24
`;
  const { text, dropped } = quietInterfaces(before);
  expect(dropped).toEqual(['enp3s0']);
  expect(text.split('\n').filter((row) => !row.startsWith('#') && row !== '')).toEqual([
    'source /etc/network/interfaces.d/*',
    'auto lo',
    'iface lo inet loopback',
    'auto br0',
    'iface br0 inet static',
    '    address 10.0.0.1/24',
  ]);
  expect(quietInterfaces(text)).toEqual({ text, dropped: [] });
});

test('the interface the machine was booted by is kept; on a machine with a medium any wired one may serve', () => {
  const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02'];
  expect(keptMac({ bootMac: macs[1], booted: 'network', macs })).toBe(macs[1]);
  expect(keptMac({ bootMac: undefined, booted: 'network', macs })).toBe(macs[0]);
  expect(keptMac({ bootMac: undefined, booted: 'medium', macs })).toBeUndefined();
});

test('only what is installed is told', async () => {
  const { root, changes, notes } = fakeRoot({ '/usr/sbin/NetworkManager': '' });
  await networkQuiet.prepare?.(root);
  expect(Object.keys(changes)).toEqual(['/run/NetworkManager/conf.d/10-viver.conf']);
  expect(Object.values(changes)[0]).toContain('unmanaged-devices=type:ethernet\n');
  expect(notes).toEqual(['left alone by: NetworkManager']);
});

test('where systemd is installed and another init takes over, nothing says that systemd runs', async () => {
  const image = { '/lib/systemd/system/NetworkManager-wait-online.service': '', '/lib/systemd/systemd-networkd': '' };
  const { root, changes } = fakeRoot(image, { init: 'runit' });
  await networkQuiet.prepare?.(root);
  expect(Object.keys(changes).filter((path) => path.startsWith('/run/systemd/system'))).toEqual([]);
});
