import { expect, test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { DHCP_TYPES, decodeDhcp, encodeDhcp, OPTION, withoutIpxe } from '../vm/harness/dhcp-message.ts';
import { DhcpServer } from '../vm/harness/dhcp-server.ts';
import { BROADCAST, parseUdp, udpFrame } from '../vm/harness/frame.ts';
import { type Machine, portName } from '../vm/harness/machine.ts';
import {
  addressOf,
  darkCard,
  mac,
  type PxeMachine,
  pxe,
  SERVES,
  server,
  servingImage,
} from '../vm/harness/pxe-machines.ts';
import type { Scenario } from '../vm/harness/scenario.ts';

/** Several machines boot one after the other. */
const LONG_MS = 2_400_000;
const HOLDS_ALL = 'until dmesg | grep -q "holds the whole image"; do sleep 1; done';
const IMAGE_FILE = 'echo 3 > /proc/sys/vm/drop_caches; sha256sum /data';

async function boot(cluster: Cluster, scenario: Scenario): Promise<Machine> {
  const machine = await cluster.powerOn(scenario);
  await cluster.performAll(machine);
  return machine;
}

/** A machine with the image on its disk, from whom others can boot. */
async function bootServer(cluster: Cluster, name: string, number: number): Promise<Machine> {
  const machine = await boot(cluster, await server({ name, number, image: await servingImage() }));
  await cluster.run(machine, SERVES, 120);
  return machine;
}

/** The cards and firmwares of a crowd, over and over. */
const PARTS: readonly Pick<PxeMachine, 'firmware' | 'model' | 'cpus' | 'others'>[] = [
  { model: 'e1000' },
  { firmware: 'uefi', model: 'virtio-net-pci', cpus: 2 },
  { model: 'vmxnet3', others: [darkCard(99)] },
  { model: 'rtl8139' },
];

/** A machine with several cards has a port for each. */
const portOf = ({ scenario }: Machine): string => portName(scenario, 'net');

/** Who gave a machine kernel and initrd. */
const givers = (cluster: Cluster, machine: Machine): readonly string[] =>
  [...cluster.meter.receivedBy(portOf(machine))].filter(([, { http }]) => http > 1_000_000).map(([name]) => name);

test.each([4, 8])(
  '%i machines switched on in the same second all boot, whatever strangers sent before; then each of them can boot others',
  {
    timeout: LONG_MS,
  },
  async (count) => {
    const image = await servingImage();
    await using cluster = await Cluster.open();
    const one = await boot(cluster, await server({ name: 'crowd-server', number: 1, image, others: [darkCard(98)] }));
    await cluster.run(one, SERVES, 120);
    await attack(cluster, one);
    const wanted = await cluster.run(one, IMAGE_FILE);
    const crowd = Array.from({ length: count }, (_, i) =>
      pxe({ name: `crowd-${i + 1}`, number: 10 + i, image, within: 150 * count, ...PARTS[i % PARTS.length] }),
    );
    const machines = await Promise.all(crowd.map((scenario) => boot(cluster, scenario)));
    for (const machine of machines) {
      expect(await cluster.run(machine, 'cat /proc/cmdline')).toContain(`viver.image=${image.name}@sha256:${image.id}`);
      expect(await cluster.run(machine, IMAGE_FILE)).toBe(wanted);
      expect(cluster.meter.total(portOf(machine), 'http')).toBeGreaterThan(40_000_000);
      expect(cluster.meter.total(portOf(machine), 'tftp')).toBeLessThan(2_000_000);
    }
    // Each chunk is somewhere among those without a disk; then whoever has one may go.
    for (const machine of machines) await cluster.run(machine, HOLDS_ALL, 300);
    for (const machine of machines.slice(2)) await cluster.powerOff(machine);
    await cluster.powerOff(one);
    const late = await Promise.all(
      [90, 91].map((number) => boot(cluster, pxe({ name: `crowd-late-${number}`, number, image }))),
    );
    for (const machine of late) expect(await cluster.run(machine, IMAGE_FILE)).toBe(wanted);
    expect(new Set(late.flatMap((machine) => givers(cluster, machine))).size).toBe(2);
  },
);

/** What no machine of good will sends: broken DHCP, paths that lead out by TFTP, noise to every service. */
async function attack(cluster: Cluster, one: Machine): Promise<void> {
  const address = await addressOf(cluster, one);
  const stranger = cluster.wire.attach('stranger');
  const target = mac(1);
  const from = { mac: '52:54:00:66:66:66', ip: address.replace(/\d+$/, '66'), port: 68 };
  const send = (port: number, payload: Buffer, fromPort = 68) => {
    stranger.send(
      udpFrame({ from: { ...from, port: fromPort }, to: { mac: BROADCAST, ip: '255.255.255.255', port }, payload }),
    );
    stranger.send(udpFrame({ from: { ...from, port: fromPort }, to: { mac: target, ip: address, port }, payload }));
  };
  const discover = encodeDhcp({
    operation: 'request',
    transaction: 1,
    mac: from.mac,
    options: new Map([
      [OPTION.type, Buffer.from([DHCP_TYPES.discover])],
      [OPTION.userClass, Buffer.alloc(255, 0x41)],
    ]),
  });
  for (let length = 0; length < discover.length; length += 7) send(67, discover.subarray(0, length));
  for (let at = 0; at < discover.length; at++) {
    const bent = Buffer.from(discover);
    bent[at] = 0xff;
    send(67, bent);
    send(4011, bent);
  }
  for (const path of [
    '../../../etc/passwd',
    '/etc/shadow',
    `${'A'.repeat(500)}`,
    '..\\..\\x',
    'undionly.kpxe/../../../init',
  ]) {
    send(69, Buffer.from(`\0\x01${path}\0octet\0`), 3000);
  }
  for (const bytes of [Buffer.alloc(0), Buffer.from([0]), Buffer.alloc(1400, 0xff)])
    for (const port of [67, 69, 4011, 20_070]) send(port, bytes);
}

/** What a machine's ROM says to DHCP servers, without the words of iPXE, until it has loaded a boot loader by TFTP. */
function hideIpxe(cluster: Cluster, machine: string): void {
  let hasLoader = false;
  cluster.wire.port(machine).rules = {
    change(frame) {
      const packet = parseUdp(frame);
      if (packet?.to.port === 69) hasLoader = true;
      const message = packet?.to.port === 67 && !hasLoader ? decodeDhcp(packet.payload) : undefined;
      if (packet === undefined || message === undefined) return frame;
      return udpFrame({ ...packet, payload: encodeDhcp(withoutIpxe(message)) });
    },
  };
}

test("PXE code that is not iPXE gets iPXE by TFTP, and all else by HTTP: any BIOS ROM, and the UEFI firmware's own", {
  timeout: LONG_MS,
}, async () => {
  const image = await servingImage();
  await using cluster = await Cluster.open();
  await bootServer(cluster, 'pxe-chain-server', 1);
  const bios = await cluster.powerOn(pxe({ name: 'pxe-chain-bios', number: 2, image }));
  hideIpxe(cluster, 'pxe-chain-bios');
  await cluster.performAll(bios);
  const firmware = { firmware: 'uefi', model: 'virtio-net-pci', pxeBy: 'firmware' } as const;
  await boot(cluster, pxe({ name: 'pxe-chain-uefi', number: 3, image, ...firmware }));
  for (const name of ['pxe-chain-bios', 'pxe-chain-uefi']) {
    expect(cluster.meter.total(name, 'tftp')).toBeGreaterThan(50_000);
    expect(cluster.meter.total(name, 'tftp')).toBeLessThan(2_000_000);
    expect(cluster.meter.total(name, 'http')).toBeGreaterThan(40_000_000);
  }
});

test("on a network with a DHCP server of its own, addresses stay that server's", { timeout: LONG_MS }, async () => {
  const image = await servingImage();
  await using cluster = await Cluster.open();
  const dhcp = new DhcpServer('192.168.77.1');
  using _plugged = dhcp.plugInto(cluster.wire);
  const answers = dhcpServersSeen(cluster);
  const one = await bootServer(cluster, 'pxe-proxy-server', 1);
  expect(await cluster.run(one, 'ip -4 -o addr')).toContain(dhcp.leases.get(mac(1)));
  const two = await boot(cluster, pxe({ name: 'pxe-proxy', number: 2, image }));
  expect(await cluster.run(two, 'ip -4 -o addr')).toContain(dhcp.leases.get(mac(2)));
  expect(dhcp.leases.size).toBe(2);
  // Beside it the boot server says where to boot from, and gives nobody an address.
  for (const { server, gives } of answers) if (server !== dhcp.ip) expect(gives).toBe('0.0.0.0');
});

/** Each DHCP answer on the wire: who gave it, and the address in it. */
function dhcpServersSeen(cluster: Cluster): { server: string; gives: string }[] {
  const seen: { server: string; gives: string }[] = [];
  cluster.wire.listen((frame) => {
    const packet = parseUdp(frame);
    if (packet?.from.port !== 67 || packet.payload.length < 240) return;
    seen.push({ server: packet.from.ip, gives: [...packet.payload.subarray(16, 20)].join('.') });
  });
  return seen;
}
