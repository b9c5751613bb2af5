import { join } from 'node:path';
import { beforeAll, test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { DhcpServer } from '../vm/harness/dhcp-server.ts';
import { viverKernel } from '../vm/harness/direct.ts';
import { pinned } from '../vm/harness/field-machines.ts';
import { type Image, imageDisk } from '../vm/harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { vmDirectory } from '../vm/harness/products.ts';
import { mac } from '../vm/harness/pxe-machines.ts';
import { performAll } from '../vm/harness/run-scenario.ts';
import type { Scenario, Step } from '../vm/harness/scenario.ts';
import { desktopImage } from './trees.ts';

let image: Image;
beforeAll(async () => {
  image = await desktopImage();
});

/** Seconds; an emulated processor draws the login screen. */
const BOOT = 300;

/** The login screen is drawn by the greeter, which the display manager runs; nothing of the system has failed. */
const GRAPHICAL_LOGIN: readonly Step[] = [
  ...LOGIN,
  { run: 'until systemctl is-active lightdm; do sleep 2; done', within: BOOT },
  { run: 'until pgrep -f lightdm-gtk-greeter; do sleep 2; done', within: BOOT },
  { run: 'systemctl is-system-running --wait', output: 'running', within: BOOT },
  { run: 'systemctl --failed --no-legend', output: /^\s*$/ },
];

/** For a person to look at: build/vm/made/desktop-NAME.png. */
const screenshot = (name: string): readonly Step[] => [
  { pauseSeconds: 30, because: 'the greeter draws, slowly where its programs come over the network' },
  { qmp: 'screendump', arguments: { filename: join(vmDirectory('made'), `desktop-${name}.png`), format: 'png' } },
];

const machine = (name: string, number: number, words: readonly string[], steps: readonly Step[]): Scenario => ({
  name,
  memoryMiB: 2048,
  kernel: viverKernel(...words),
  nics: [{ name: 'net', model: 'virtio-net-pci', mac: mac(number), wire: 'lan' }],
  steps,
});

test('a Debian 13 desktop boots from a stick to its login screen, has the wire by its own NetworkManager, and comes back from a soft-reboot', async () => {
  await using lan = await Cluster.open({ slots: 'one' });
  using _dhcp = new DhcpServer('10.77.0.254').plugInto(lan.wire);
  const stick = await lan.powerOn({
    ...machine(
      'desktop-stick',
      1,
      [],
      [
        { wait: rootReady({ image: 'desktop', medium: 'usb' }), within: BOOT },
        ...GRAPHICAL_LOGIN,
        ...screenshot('stick'),
        // the person's to use: NetworkManager has it, its lease and its name server
        { run: 'nmcli -t -f TYPE,STATE device', output: /^ethernet:connected$/m, within: 90 },
        { run: 'cat /etc/resolv.conf', output: /^nameserver 10\.77\.0\.254$/m },
        { run: 'nmcli device disconnect "$(nmcli -t -f DEVICE,TYPE device | sed -n s/:ethernet//p)"', within: 60 },
        { run: 'nmcli device connect "$(nmcli -t -f DEVICE,TYPE device | sed -n s/:ethernet//p)"', within: 90 },
        // what it wrote is there, and VIVER's own processes were not ended
        { run: 'echo kept > /root/kept; cat /proc/sys/kernel/random/boot_id > /root/boot' },
        { run: 'pgrep -f "^@viver-field field" > /root/field; cat /root/field', output: /^\d+$/m },
        { type: 'systemctl soft-reboot\n' },
        ...GRAPHICAL_LOGIN,
        { run: 'cat /root/kept', output: /^kept$/ },
        { run: 'cmp /root/boot /proc/sys/kernel/random/boot_id' },
        { run: 'pgrep -f "^@viver-field field" | cmp - /root/field' },
        { run: 'until viver status --json; do sleep 1; done', within: 60 },
        ...POWER_OFF,
      ],
    ),
    disks: [{ name: 'stick', bus: 'usb', file: await imageDisk(image) }],
  });
  await performAll(stick);
});

test('a Debian 13 desktop boots by network to its login screen, and NetworkManager leaves the card of the root alone', async () => {
  await using lan = await Cluster.open({ slots: 'one' });
  using _dhcp = new DhcpServer('10.77.0.254').plugInto(lan.wire);
  const holder = await lan.powerOn({
    ...machine(
      'desktop-holder',
      1,
      ['systemd.unit=multi-user.target'],
      [
        { wait: rootReady({ image: 'desktop' }), within: BOOT },
        ...LOGIN,
        { run: 'until dmesg | grep -q "viver field: ready"; do sleep 1; done', within: 120 },
      ],
    ),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
  });
  await performAll(holder);
  const net = await lan.powerOn(
    machine(
      'desktop-net',
      2,
      // On a busy machine udev comes to the serial port after the 90 s that systemd waits for it, and nobody can log in.
      ['viver.media=net', pinned(image), 'systemd.default_device_timeout_sec=900'],
      [
        { wait: rootReady({ medium: 'net' }), within: BOOT },
        ...GRAPHICAL_LOGIN,
        ...screenshot('net'),
        { run: 'nmcli -t -f DEVICE,STATE device', output: /^eth0:unmanaged$/m },
        { run: '! nmcli device connect eth0' },
        { run: 'cat /etc/resolv.conf', output: /^search lan\.test\n+nameserver 10\.77\.0\.254$/m },
        // the root over the network does not outlive a sleeping card
        { run: '! systemctl suspend', within: 60 },
        {
          run: 'busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager CanSuspend',
          output: 's "no"',
        },
        ...POWER_OFF,
      ],
    ),
  );
  await performAll(net);
});
