import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type IfupdownWish, quietIfupdown } from '../../../../src/runes/network-managers/ifupdown.ts';
import { readIfupdownFiles } from '../../../../src/runes/network-managers/ifupdown-files.ts';
import { fakeRoot } from '../fake-root.ts';

const rootOf = (...of: Parameters<typeof fakeRoot>) => fakeRoot(...of).root;

const overNetwork: IfupdownWish = { kept: ['eth0'], ownDhcp: false, hotplug: true };
const fromMedium: IfupdownWish = { kept: [], ownDhcp: true, hotplug: true };

const activeRows = (text: string) => text.split('\n').filter((row) => !row.startsWith('#') && row.trim() !== '');

function quiet(text: string, wish: IfupdownWish) {
  const path = '/etc/network/interfaces';
  const { files, dropped } = quietIfupdown([{ path, text }], wish);
  return { rows: activeRows(files[0]?.text ?? text), dropped };
}

test('the card of the root is in no stanza; others wait for udev, and virtual ones stay', () => {
  const { rows, dropped } = quiet(
    `source /etc/network/interfaces.d/*
auto lo eth0 enp3s0
iface lo inet loopback
iface eth0 inet dhcp
    hostname x
iface enp3s0 inet static
    address 10.0.0.2/24
auto br1
iface br1 inet static
    address 10.1.0.1/24
    bridge_ports enp3s0
`,
    overNetwork,
  );
  expect(dropped).toEqual(['eth0']);
  expect(rows).toEqual([
    'source /etc/network/interfaces.d/*',
    'auto lo',
    'allow-hotplug enp3s0',
    'iface lo inet loopback',
    'iface enp3s0 inet static',
    '    address 10.0.0.2/24',
    'auto br1',
    'iface br1 inet static',
    '    address 10.1.0.1/24',
    '    bridge_ports enp3s0',
  ]);
});

test.each([
  ['a bridge', 'auto br0\niface br0 inet dhcp\n  bridge_ports eth0 eth1\n'],
  ['a bridge of everything', 'auto br0\niface br0 inet dhcp\n  bridge-ports all\n'],
  ['a bridge by pattern', 'auto br0\niface br0 inet dhcp\n  bridge_ports regex eth.*\n'],
  ['a bond', 'auto bond0\niface bond0 inet static\n  address 10.0.0.1/24\n  bond-slaves eth0 \\\n    eth1\n'],
  ['its part of a bond', 'auto eth0\niface eth0 inet manual\n  bond-master bond0\n'],
  [
    'a VLAN on a bridge of it',
    'auto br0 v5\niface br0 inet manual\n bridge_ports eth0\niface v5 inet dhcp\n vlan-raw-device br0\n',
  ],
  ['a pattern', 'auto /eth*\niface eth0 inet dhcp\n'],
  ['a mapping', 'auto eth0\nmapping eth0\n  script /x\n  map HOME eth0-home\n'],
])('%s with the card of the root is not brought up', (_what, text) => {
  expect(quiet(text, overNetwork).rows).toEqual([]);
});

test('a VLAN on the card of the root is left: it comes and goes without it', () => {
  const text = 'auto eth0.5\niface eth0.5 inet dhcp\n';
  expect(quiet(text, overNetwork).rows).toEqual(['allow-hotplug eth0.5', 'iface eth0.5 inet dhcp']);
});

test('commands of other interfaces that name the card of the root are not run', () => {
  const text = 'auto br9\niface br9 inet manual\n  pre-up ip link set eth0 down\n  up ip link set eth01 up\n';
  expect(quiet(text, overNetwork).rows).toEqual(['auto br9', 'iface br9 inet manual', '  up ip link set eth01 up']);
});

test('from a medium: wires that ask for an address are left to VIVER, Wi-Fi and fixed addresses stay', () => {
  const text =
    'auto eth0 wlan0 eth1\niface eth0 inet dhcp\niface wlan0 inet dhcp\n wpa-ssid x\niface eth1 inet static\n address 10.0.0.1/8\n';
  expect(quiet(text, fromMedium).rows).toEqual([
    'allow-hotplug wlan0 eth1',
    'iface wlan0 inet dhcp',
    ' wpa-ssid x',
    'iface eth1 inet static',
    ' address 10.0.0.1/8',
  ]);
});

test('without udev’s helper nothing is called hotplug', () => {
  expect(quiet('auto eth1\niface eth1 inet dhcp\n', { ...overNetwork, hotplug: false }).rows[0]).toBe('auto eth1');
});

test('a second time nothing changes, and no text breaks it', () => {
  const word = fc.constantFrom(
    'auto',
    'iface',
    'eth0',
    'br0',
    'inet',
    'dhcp',
    'bridge_ports',
    '\n',
    '\\\n',
    '#',
    '/eth*',
    'up',
    '[',
    'allow-hotplug',
  );
  fc.assert(
    fc.property(fc.array(word), fc.boolean(), (words, ownDhcp) => {
      const wish = { kept: ownDhcp ? [] : ['eth0'], ownDhcp, hotplug: true };
      const text = words.join(' ');
      const once = quietIfupdown([{ path: '/i', text }], wish).files[0]?.text ?? text;
      expect(quietIfupdown([{ path: '/i', text: once }], wish).files).toEqual([]);
      expect(
        activeRows(once.replaceAll('\\\n', ' ')).filter(
          (row) => /^\s*(auto|iface)\s(.*\s)?eth0(\s|$)/.test(row) && !ownDhcp && row.trim().split(/\s+/)[1] === 'eth0',
        ),
      ).toEqual([]);
    }),
  );
});

test('what interfaces includes is read: source with patterns, source-directory, one from the other', () => {
  const root = rootOf({
    '/etc/network/interfaces':
      'source interfaces.d/*.cfg\nsource-directory /etc/network/more\nsource /etc/network/interfaces\n',
    '/etc/network/interfaces.d/a.cfg': 'auto eth0\n',
    '/etc/network/interfaces.d/.hidden.cfg': 'x',
    '/etc/network/interfaces.d/b': 'x',
    '/etc/network/more/c': 'source /etc/network/deep\n',
    '/etc/network/more/d.dpkg-old': 'x',
    '/etc/network/deep': 'auto eth1\n',
  });
  expect(readIfupdownFiles(root).map(({ path }) => path)).toEqual([
    '/etc/network/interfaces',
    '/etc/network/interfaces.d/a.cfg',
    '/etc/network/more/c',
    '/etc/network/deep',
  ]);
});
