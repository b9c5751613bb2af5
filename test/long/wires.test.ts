import { expect, test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { DHCP_TYPES, decodeDhcp, dhcpTypeOf, encodeDhcp, OPTION } from '../vm/harness/dhcp-message.ts';
import { DhcpServer } from '../vm/harness/dhcp-server.ts';
import { BROADCAST, flowOf, ipBytes, parseUdp, udpFrame } from '../vm/harness/frame.ts';
import { type Machine, portName } from '../vm/harness/machine.ts';
import { addressOf, mac, pxe, SERVES, server, servingImage, statusOf } from '../vm/harness/pxe-machines.ts';
import type { Nic, Scenario } from '../vm/harness/scenario.ts';
import { perform } from '../vm/harness/steps.ts';
import type { Wire } from '../vm/harness/wire.ts';

/** Networks as they are: ports that open late, packets that get lost, several wires, and the power gone everywhere. */

const LONG_MS = 2_400_000;
/** What a port with spanning tree takes until it forwards: twice a forward delay of 15 s (IEEE 802.1D, 8.10.2). */
const SPANNING_TREE_MS = 30_000;

async function boot(cluster: Cluster, scenario: Scenario): Promise<Machine> {
  const machine = await cluster.powerOn(scenario);
  await cluster.performAll(machine);
  return machine;
}

/** From the machine's next frame on nothing passes for half a minute. */
function opensLate(wire: Wire, name: string): void {
  let openMs: number | undefined;
  wire.port(name).rules = {
    drop() {
      openMs ??= performance.now() + SPANNING_TREE_MS;
      return performance.now() < openMs;
    },
  };
}

/** An office PC that boots from its own disk: it asks for an address and has another renewed, twice a second. */
function officePc(wire: Wire, leased: string): { readonly heard: string[] } & Disposable {
  const own = '52:54:00:66:66:01';
  const heard: string[] = [];
  const port = wire.attach('office-pc', (frame) => {
    const packet = parseUdp(frame);
    const message = packet?.from.port === 67 ? decodeDhcp(packet.payload) : undefined;
    if (packet !== undefined && message?.mac === own) heard.push(`${dhcpTypeOf(message)} ${packet.from.ip}`);
  });
  let transaction = 0;
  const ask = (type: keyof typeof DHCP_TYPES, more: readonly (readonly [number, Buffer])[] = []): void => {
    const payload = encodeDhcp({
      operation: 'request',
      transaction: ++transaction,
      mac: own,
      options: new Map([[OPTION.type, Buffer.from([DHCP_TYPES[type]])], ...more]),
    });
    const to = { mac: BROADCAST, ip: '255.255.255.255', port: 67 };
    port.send(udpFrame({ from: { mac: own, ip: '0.0.0.0', port: 68 }, to, payload }));
  };
  const timer = setInterval(() => {
    ask('discover');
    ask('request', [[OPTION.requestedIp, ipBytes(leased)]]);
  }, 500);
  return {
    heard,
    [Symbol.dispose]() {
      clearInterval(timer);
      port[Symbol.dispose]();
    },
  };
}

test('a server whose switch port opens after 30 s harms nobody, and finds the DHCP server of the network', {
  timeout: LONG_MS,
}, async () => {
  const image = await servingImage();
  await using cluster = await Cluster.open({ slots: 'one' });
  const dhcp = new DhcpServer('192.168.77.1');
  using _plugged = dhcp.plugInto(cluster.wire);
  using office = officePc(cluster.wire, '192.168.77.9');
  const one = await cluster.powerOn(await server({ name: 'late-port-server', number: 1, image }));
  opensLate(cluster.wire, 'late-port-server');
  await cluster.performAll(one);
  await expect
    .poll(async () => (await statusOf(cluster, one)).dhcp?.mode, { timeout: 240_000, interval: 1000 })
    .toBe('proxy');
  // The address of its own stays beside it, for who may know the machine by that.
  expect(await cluster.run(one, 'ip -4 -o addr')).toContain(dhcp.leases.get(mac(1)));
  const two = await boot(cluster, pxe({ name: 'late-port-client', number: 2, image }));
  expect(await cluster.run(two, 'ip -4 -o addr')).toContain(dhcp.leases.get(mac(2)));
  // Only the network's own server has ever answered it.
  expect(new Set(office.heard.map((line) => line.split(' ')[1]))).toEqual(new Set([dhcp.ip]));
  expect(office.heard.filter((line) => line.startsWith('nak'))).toEqual([]);
});

test('a machine whose switch port opens 30 s after its kernel has switched the card on boots all the same', {
  timeout: LONG_MS,
}, async () => {
  const image = await servingImage();
  await using cluster = await Cluster.open({ slots: 'one' });
  const one = await boot(cluster, await server({ name: 'stp-server', number: 1, image }));
  await cluster.run(one, SERVES, 120);
  const scenario = pxe({ name: 'stp-client', number: 2, image });
  const two = await cluster.powerOn({ ...scenario, steps: [] });
  await perform(two, { wait: /Linux version/, within: 300 });
  opensLate(cluster.wire, 'stp-client');
  for (const step of scenario.steps) await perform(two, step);
  expect(await cluster.run(two, 'cat /etc/variant')).toBe('one');
});

/** Frames of an MTU of more than 1400 bytes are lost without a word. */
const TOO_LONG = 14 + 1400;

test('on a path where packets of more than 1400 bytes get lost a machine boots, whatever firmware it has', {
  timeout: LONG_MS,
}, async () => {
  const image = await servingImage();
  await using cluster = await Cluster.open();
  const one = await boot(cluster, await server({ name: 'mtu-server', number: 1, image }));
  await cluster.run(one, SERVES, 120);
  let lost = 0;
  const drop = (frame: Buffer): boolean => {
    if (frame.length <= TOO_LONG) return false;
    lost++;
    return true;
  };
  const pair = [
    pxe({ name: 'mtu-bios', number: 2, image }),
    pxe({ name: 'mtu-uefi', number: 3, image, firmware: 'uefi', model: 'virtio-net-pci', pxeBy: 'firmware' }),
  ];
  await Promise.all(
    pair.map(async (scenario) => {
      const machine = await cluster.powerOn(scenario);
      cluster.wire.port(scenario.name).rules = { drop };
      await cluster.performAll(machine);
      expect(await cluster.run(machine, 'cat /etc/variant')).toBe('one');
    }),
  );
  expect(lost).toBeGreaterThan(0);
});

const officeCard = (number: number): Nic => ({ name: 'uplink', model: 'rtl8139', mac: mac(number), wire: 'office' });

test('of an uplink and a class-room wire the class-room is served; a machine with both takes the one it booted from', {
  timeout: LONG_MS,
}, async () => {
  const image = await servingImage();
  await using cluster = await Cluster.open({ slots: 'one' });
  const dhcp = new DhcpServer('192.168.77.1');
  using _plugged = dhcp.plugInto(cluster.office);
  const of = { name: 'uplink-server', number: 1, image, words: ['net.ifnames=0'], others: [officeCard(91)] };
  const one = await boot(cluster, await server(of));
  await cluster.run(one, SERVES, 120);
  const { dhcp: served, mac: servedBy } = await statusOf(cluster, one);
  expect([served?.mode, servedBy]).toEqual(['full', mac(1)]);
  let toOffice = 0;
  cluster.office.listen((frame, from) => {
    const flow = flowOf(frame);
    if (from.name.startsWith('uplink-server') && flow?.protocol === 'udp' && flow.fromPort === 67) toOffice++;
  });
  const two = await boot(cluster, pxe({ name: 'uplink-client', number: 2, image, others: [officeCard(92)] }));
  expect(await cluster.run(two, 'cat /etc/variant')).toBe('one');
  // The office's server is quicker, and its lease is not the one that counts.
  expect(await cluster.run(two, 'ip -4 -o addr')).not.toContain('192.168.77.');
  expect(cluster.meter.total(portName(two.scenario, 'net'), 'http')).toBeGreaterThan(40_000_000);
  expect(toOffice).toBe(0);
});

test('after a power cut of four machines all come back by themselves', { timeout: LONG_MS }, async () => {
  const image = await servingImage();
  await using cluster = await Cluster.open();
  const scenarios = [
    await server({ name: 'cut-server', number: 1, image }),
    ...[2, 3, 4].map((number) => pxe({ name: `cut-client-${number}`, number, image, within: 1200 })),
  ];
  const [first, ...rest] = scenarios as [Scenario, ...Scenario[]];
  const one = await boot(cluster, first);
  await cluster.run(one, SERVES, 120);
  const clients = await Promise.all(rest.map((scenario) => boot(cluster, scenario)));
  const addresses = await Promise.all(clients.map((machine) => addressOf(cluster, machine)));
  expect(new Set(addresses).size).toBe(clients.length);
  for (const machine of [one, ...clients]) await cluster.powerOff(machine);

  const again = await Promise.all(scenarios.map((scenario) => boot(cluster, scenario)));
  for (const machine of again) expect(await cluster.run(machine, 'cat /etc/variant')).toBe('one');
  const later = await Promise.all(again.map((machine) => addressOf(cluster, machine)));
  expect(new Set(later).size).toBe(again.length);
});
