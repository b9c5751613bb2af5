import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readKeptLinks } from '../../../../src/runes/network-managers/kept-links.ts';
import { QUIETINGS } from '../../../../src/runes/network-managers/quietings.ts';
import * as say from '../../../../src/runes/network-managers/settings.ts';
import type { NewRoot } from '../../../../src/runes/new-root.ts';
import { fakeRoot } from '../fake-root.ts';

const rootOf = (...of: Parameters<typeof fakeRoot>) => fakeRoot(...of).root;

const kept = [{ name: 'eth0', mac: '02:00:00:00:00:01' }];

function quieten(root: NewRoot, links: typeof kept): string[] {
  const there = QUIETINGS.filter(({ isThere }) => isThere(root));
  for (const { quieten: apply } of there) apply(root, links);
  return there.map(({ what }) => what);
}

test('kept is what has the address of the boot, and the card below it; nothing where the root lies on a medium', () => {
  const directory = mkdtempSync(join(tmpdir(), 'viver-kept-'));
  const links = join(directory, 'net');
  for (const name of ['eth0', 'eth0.7', 'eth1']) {
    mkdirSync(join(links, name), { recursive: true });
    writeFileSync(join(links, name, 'address'), `02:00:00:00:00:0${name.at(3)}\n`);
  }
  mkdirSync(join(links, 'eth0.7/lower_eth0'));
  expect(readKeptLinks(directory, links)).toEqual([]);
  writeFileSync(join(directory, 'address-eth0.7'), '10.0.0.1/24\n');
  expect(readKeptLinks(directory, links).map(({ name }) => name)).toEqual(['eth0', 'eth0.7']);
});

test('NetworkManager leaves the root’s card alone whatever its own files say, and has the wire of a medium’s machine', () => {
  const there = { '/usr/sbin/NetworkManager': '' };
  const network = rootOf(there);
  expect(quieten(network, kept)).toEqual(['NetworkManager']);
  const path = '/etc/NetworkManager/conf.d/zz-viver.conf';
  expect(network.read(path)).toMatch(/unmanaged-devices\+=.*mac:02:00:00:00:00:01/);
  expect(network.read(path)).toMatch(/\[device-viver\]\nmatch-device=interface-name:=eth0\nmanaged=0\n/);
  const medium = rootOf(there);
  quieten(medium, []);
  expect(medium.read(path)).not.toContain('managed');
  expect(medium.read(path)).toContain('ipv4.dhcp-timeout=2147483647');
});

test('networkd’s file for the root’s card comes before any of the image’s', () => {
  const root = rootOf({ '/lib/systemd/systemd-networkd': '', '/usr/lib/udev/rules.d/x': '' });
  quieten(root, kept);
  const names = root
    .names('/run/systemd/network')
    .map((name) => `/run/systemd/network/${name}`)
    .filter((path) => path.startsWith('/run/systemd/network/'));
  expect(names.map((path) => path.split('/').at(-1))).toEqual(['!viver-eth0.link', '!viver.network']);
  for (const name of ['00-lan.network', '-a.network', '10-netplan-eth0.network', '0.network'])
    expect('!viver.network' < name).toBe(true);
  expect(root.read('/run/systemd/network/!viver.network')).toMatch(/Name=eth0\n\n\[Link\]\nUnmanaged=yes/);
});

test('dhcpcd’s line is before its first block, and there once', () => {
  const once = say.dhcpcdConf('hostname\ninterface eth0\nstatic ip_address=10.0.0.1/8\n', kept);
  expect(once.split('\n').slice(1, 4)).toEqual(['denyinterfaces eth0', 'hostname', 'interface eth0']);
  expect(say.dhcpcdConf(once, kept)).toBe(once);
  expect(say.dhcpcdConf(once, [])).toContain('denyinterfaces en* eth*\nhostname');
});

test('ConnMan’s list of names grows, or begins with its own', () => {
  expect(say.connmanConf('[General]\nNetworkInterfaceBlacklist = vmnet, docker\n', kept)).toBe(
    '[General]\nNetworkInterfaceBlacklist=vmnet,docker,eth0\n',
  );
  expect(say.connmanConf('[General]\nA=1\n', kept)).toBe(
    '[General]\nNetworkInterfaceBlacklist=vmnet,vboxnet,virbr,ifb,ve-,vb-,ham,veth,eth0\nA=1\n',
  );
  expect(say.connmanConf('', kept)).toMatch(/^\[General\]\nNetworkInterfaceBlacklist=.*,eth0\n$/);
});

test('wicked neither starts the root’s card nor what takes it in', () => {
  const root = rootOf({
    '/etc/sysconfig/network/ifcfg-eth0': "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n",
    '/etc/sysconfig/network/ifcfg-br0': "STARTMODE='auto'\nBRIDGE='yes'\nBRIDGE_PORTS='eth0 eth1'\n",
    '/etc/sysconfig/network/ifcfg-bond0': "STARTMODE='auto'\nBONDING_SLAVE0='eth0'\n",
    '/etc/sysconfig/network/ifcfg-eth1': "STARTMODE='auto'\n",
  });
  quieten(root, kept);
  const modeOf = (name: string) =>
    /STARTMODE='(\w+)'/.exec(root.read(`/etc/sysconfig/network/ifcfg-${name}`) ?? '')?.[1];
  expect(['eth0', 'br0', 'bond0', 'eth1'].map(modeOf)).toEqual(['off', 'off', 'off', 'auto']);
});

test('sysvinit’s halt takes no interface down, netifrc starts none', () => {
  const root = rootOf({
    '/etc/default/halt': 'HALT=poweroff\nNETDOWN=yes\n',
    '/etc/init.d/net.lo': '',
    '/etc/runlevels/default/net.eth0': '→ /etc/init.d/net.eth0',
    '/etc/runlevels/default/net.eth1': '→ /etc/init.d/net.eth1',
  });
  quieten(root, kept);
  expect(root.read('/etc/default/halt')).toBe('HALT=poweroff\nNETDOWN=no\n');
  expect(root.names('/etc/runlevels/default')).toEqual(['net.eth1']);
});

test('units are masked for systemd only: under another init they would make programs believe in it', () => {
  const there = { '/lib/systemd/system/NetworkManager-wait-online.service': '' };
  const systemd = rootOf(there);
  quieten(systemd, []);
  expect(systemd.linkTarget('/run/systemd/system/NetworkManager-wait-online.service')).toBe('/dev/null');
  const runit = rootOf(there, { init: 'runit' });
  quieten(runit, kept);
  expect(runit.names('/run/systemd/system')).toEqual([]);
});

test('ifupdown: interfaces.d is quietened too, and what comes later is left out', () => {
  const root = rootOf({
    '/etc/network/interfaces': 'source /etc/network/interfaces.d/*\n',
    '/etc/network/interfaces.d/eth0': 'auto eth0\niface eth0 inet dhcp\n',
    '/usr/lib/udev/ifupdown-hotplug': '',
  });
  quieten(root, kept);
  expect(root.read('/etc/network/interfaces.d/eth0')).toBe('# VIVER: auto eth0\n# VIVER: iface eth0 inet dhcp\n');
  expect(root.read('/etc/default/networking')).toBe('EXCLUDE_INTERFACES="eth0"\n');
  const after = root.read('/etc/default/networking');
  quieten(root, kept);
  expect(root.read('/etc/default/networking')).toBe(after);
  expect(say.excluded("A=1\nEXCLUDE_INTERFACES='eth9'\n", kept)).toBe('A=1\nEXCLUDE_INTERFACES="eth9 eth0"\n');
});
