import { test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { DhcpServer } from '../vm/harness/dhcp-server.ts';
import { viverKernel } from '../vm/harness/direct.ts';
import { pinned } from '../vm/harness/field-machines.ts';
import { type Image, imageDisk } from '../vm/harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { mac } from '../vm/harness/pxe-machines.ts';
import { performAll } from '../vm/harness/run-scenario.ts';
import type { Scenario, Step } from '../vm/harness/scenario.ts';
import { variantImage } from '../vm/harness/variant-image.ts';
import { desktopImage, netplanImage, serverImage } from './trees.ts';

/** Seconds; two machines share the host. */
const BOOT = 300;

const RUNNING: readonly Step[] = [
  ...LOGIN,
  {
    run: 'systemctl is-system-running --wait; systemctl --failed --no-legend --plain | while read -r unit rest; do systemctl status --no-pager --full --lines 30 "$unit"; done',
    output: /^running\s*$/,
    within: BOOT,
  },
];

const machine = (name: string, number: number, words: readonly string[], steps: readonly Step[]): Scenario => ({
  name,
  memoryMiB: 1536,
  kernel: viverKernel(...words),
  nics: [{ name: 'net', model: 'virtio-net-pci', mac: mac(number), wire: 'lan' }],
  steps,
});

/** The root's card has its lease and is part of nothing, and what lies behind it is read to the end of the machine. */
const KEPT: readonly Step[] = [
  { run: 'ip -4 -o addr show dev eth0', output: /inet 10\.77\.0\.1\d\d\/24/ },
  { run: '[ ! -e /sys/class/net/eth0/master ]' },
  { run: 'echo 3 > /proc/sys/vm/drop_caches; cat /usr/bin/* > /dev/null', within: 240 },
  { run: 'ping -c 1 -W 5 10.77.0.1' },
];

async function holderAnd(image: Image, onMedium: readonly Step[], overNetwork: readonly Step[]): Promise<void> {
  await using lan = await Cluster.open({ slots: 'one' });
  using _dhcp = new DhcpServer('10.77.0.254').plugInto(lan.wire);
  const holder = await lan.powerOn({
    ...machine(
      `${image.name}-holder`,
      1,
      ['viver.ip=10.77.0.1/24'],
      [
        { wait: rootReady({ image: image.name }), within: BOOT },
        ...RUNNING,
        { run: 'until dmesg | grep -q "viver field: ready"; do sleep 1; done', within: 120 },
        ...onMedium,
      ],
    ),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
  });
  await performAll(holder);
  const net = await lan.powerOn(
    machine(
      `${image.name}-net`,
      2,
      ['viver.media=net', pinned(image)],
      [
        { wait: rootReady({ medium: 'net' }), within: BOOT },
        ...RUNNING,
        ...KEPT,
        ...overNetwork,
        // every manager stops, and the card stays up until nothing is read from it any more
        {
          run: 'systemctl stop networking NetworkManager systemd-networkd systemd-networkd.socket 2>&1; true',
          within: 120,
        },
        ...KEPT,
        ...POWER_OFF,
      ],
    ),
  );
  await performAll(net);
}

test('ifupdown with bridge and bond, NetworkManager and networkd leave the card of the root alone, from boot to power-off; resolvconf has the lease’s server; kernel and GRUB packages can be configured', async () => {
  await holderAnd(
    await serverImage(),
    [
      // snapd finds where AppArmor sees what was written
      {
        run: 'systemctl start snapd.service; cat /var/lib/snapd/apparmor/snap-confine/overlay-root',
        output: /"\/upper\//,
        within: 120,
      },
      { run: 'dpkg -i /root/kernel.deb', output: /update-initramfs: .*\n[\s\S]*update-grub: /, within: 120 },
      {
        run: 'dpkg -P linux-image-6.1.0-999-amd64 && apt-get -y install /root/kernel.deb',
        output: /update-initramfs: .*\n[\s\S]*update-grub: /,
        within: 180,
      },
      { run: 'dpkg-reconfigure -fnoninteractive "linux-image-$(uname -r)" grub-pc', within: 240 },
      { run: 'dpkg --audit', output: /^\s*$/ },
      { run: 'cat /boot/grub/grub.cfg', output: '# of an installed system' },
    ],
    [
      { run: 'cat /etc/resolv.conf', output: /^nameserver 10\.77\.0\.254$/m },
      { run: 'grep "^search.*lan.test" /etc/resolv.conf' },
      { run: 'nmcli -t -f DEVICE,STATE device', output: /^eth0:unmanaged$/m },
      { run: 'networkctl --no-legend list eth0', output: /unmanaged/ },
      { run: '! ifquery --state eth0' },
    ],
  );
});

test('netplan’s bridge does not take the card of the root; systemd-resolved has the lease’s server and domain', async () => {
  await holderAnd(
    await netplanImage(),
    [],
    [
      { run: 'networkctl --no-legend list eth0', output: /unmanaged/ },
      { run: 'resolvectl --no-pager dns; resolvectl --no-pager domain', output: /10\.77\.0\.254[\s\S]*lan\.test/ },
    ],
  );
});

test('connman and dhcpcd leave the card of the root alone', async () => {
  const image = await variantImage('connman', {
    base: 'debian',
    packages: ['connman', 'dhcpcd5', 'iputils-ping'],
    files: {
      '/etc/dhcpcd.conf': 'hostname\ninterface eth0\nstatic ip_address=10.99.0.2/24\n',
      // what dhcpcd's unit takes for granted (ReadWritePaths)
      '/etc/resolv.conf': '',
    },
    shell: 'systemctl enable connman dhcpcd\nmkdir -p /etc/wpa_supplicant\n',
  });
  await holderAnd(
    image,
    [],
    [
      { run: 'systemctl is-active connman dhcpcd', output: /^active\s+active/m },
      { run: '! connmanctl services | grep Wired' },
      { run: '! ip addr show dev eth0 | grep 10.99' },
      { run: 'systemctl stop connman dhcpcd', within: 60 },
    ],
  );
});

test('ifupdown under sysvinit leaves the card of the root alone, and halt does not take it down', async () => {
  const image = await variantImage('sysv-ifupdown', {
    base: 'sysvinit',
    packages: ['ifupdown', 'isc-dhcp-client', 'iputils-ping'],
    files: {
      '/etc/network/interfaces': 'source /etc/network/interfaces.d/*\nauto lo\niface lo inet loopback\n',
      '/etc/network/interfaces.d/lan': 'auto eth0\niface eth0 inet dhcp\n',
    },
  });
  await using lan = await Cluster.open({ slots: 'one' });
  using _dhcp = new DhcpServer('10.77.0.254').plugInto(lan.wire);
  const holder = await lan.powerOn({
    ...machine(
      'sysv-holder',
      1,
      ['viver.ip=10.77.0.1/24'],
      [
        { wait: rootReady({ image: image.name }), within: BOOT },
        ...LOGIN,
        { run: 'until dmesg | grep -q "viver field: ready"; do sleep 1; done', within: 120 },
      ],
    ),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
  });
  await performAll(holder);
  const net = await lan.powerOn(
    machine(
      'sysv-net',
      2,
      ['viver.media=net', pinned(image)],
      [
        { wait: rootReady({ medium: 'net' }), within: BOOT },
        ...LOGIN,
        ...KEPT,
        { run: '. /etc/default/halt; echo "netdown $NETDOWN"', output: /^netdown no$/m },
        { run: '/etc/init.d/networking restart', within: 60 },
        ...KEPT,
        // nothing is remembered of what the end of the machine reads
        { run: 'echo 3 > /proc/sys/vm/drop_caches' },
        ...POWER_OFF,
      ],
    ),
  );
  await performAll(net);
});

test('on a wire without a DHCP server the address that VIVER takes stays beside a NetworkManager that goes on asking', async () => {
  const image = await desktopImage();
  await using lan = await Cluster.open({ slots: 'one' });
  const own = { run: 'ip -4 -o addr', output: /inet 10\.86\.\d+\.\d+\/16/ } as const;
  const alone = await lan.powerOn({
    ...machine(
      'empty-wire',
      1,
      ['systemd.unit=multi-user.target'],
      [
        { wait: rootReady({ image: image.name }), within: BOOT },
        ...LOGIN,
        { run: 'until ip -4 -o addr | grep "inet 10.86"; do sleep 1; done; ip -4 -o addr > /root/before', within: 120 },
        { pauseSeconds: 100, because: 'NetworkManager gives up after 45 s where nobody tells it otherwise' },
        own,
        {
          run: 'ip -4 -o addr | sed "s/valid_lft.*//" > /root/after; sed "s/valid_lft.*//" /root/before | cmp - /root/after',
        },
        { run: '! journalctl -u viver-runes | grep "is gone from"' },
        { run: 'nmcli -t -f TYPE,STATE device', output: /^ethernet:connecting/m },
        ...POWER_OFF,
      ],
    ),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
  });
  await performAll(alone);
});
