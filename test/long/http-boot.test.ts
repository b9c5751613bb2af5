import { expect, test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { type DhcpMessage, decodeDhcp, dhcpTypeOf, OPTION } from '../vm/harness/dhcp-message.ts';
import { DhcpServer } from '../vm/harness/dhcp-server.ts';
import { parseUdp } from '../vm/harness/frame.ts';
import { mac, pxe, SERVES, server, servingImage, statusOf } from '../vm/harness/pxe-machines.ts';
import type { Wire } from '../vm/harness/wire.ts';

/** UEFI's boot by HTTP (UEFI 2.10, 24.7): the firmware asks as HTTPClient, and loads what a URL names, without TFTP. */

const LONG_MS = 2_400_000;

/** iPXE, once it runs, calls itself PXEClient. */
const isFirmware = (message: DhcpMessage): boolean =>
  message.options.get(OPTION.vendorClass)?.toString('latin1').startsWith('HTTPClient') === true;

/** What firmware said as HTTPClient, and what it was answered by whom as such. */
function httpBootOf(wire: Wire, client: string): { readonly asked: string[]; readonly told: string[] } {
  const asked: string[] = [];
  const told: string[] = [];
  wire.listen((frame) => {
    const packet = parseUdp(frame);
    const message = packet === undefined ? undefined : decodeDhcp(packet.payload);
    if (packet === undefined || message?.mac !== client || !isFirmware(message)) return;
    const type = dhcpTypeOf(message);
    if (message.operation === 'request') asked.push(`${type} ${message.options.get(OPTION.architecture)?.at(-1)}`);
    else told.push(`${message.yourIp === '0.0.0.0' ? 'no address' : 'address'} ${bootFileOf(message)}`);
  });
  return { asked, told };
}

/** In the fixed part, or as an option. */
const bootFileOf = (message: DhcpMessage): string | undefined =>
  message.file || message.options.get(OPTION.bootFile)?.toString('latin1').replace(/\0.*$/s, '');

test.each(['full', 'proxy'] as const)(
  "a UEFI machine boots by its firmware's own HTTP, the server being %s",
  {
    timeout: LONG_MS,
  },
  async (mode) => {
    const image = await servingImage();
    await using cluster = await Cluster.open({ slots: 'one' });
    const dhcp = new DhcpServer('192.168.77.1');
    using _plugged = mode === 'proxy' ? dhcp.plugInto(cluster.wire) : undefined;
    const one = await cluster.powerOn(await server({ name: `http-${mode}-server`, number: 1, image }));
    await cluster.performAll(one);
    await cluster.run(one, SERVES, 120);
    expect((await statusOf(cluster, one)).dhcp?.mode).toBe(mode);

    const name = `http-${mode}-client`;
    const firmware = { firmware: 'uefi', model: 'virtio-net-pci', pxeBy: 'http' } as const;
    const two = await cluster.powerOn(pxe({ name, number: 2, image, ...firmware }));
    const http = httpBootOf(cluster.wire, mac(2));
    await cluster.performAll(two);
    expect(await cluster.run(two, 'cat /etc/variant')).toBe('one');

    expect(http.asked[0]).toBe('discover 16');
    const url = expect.stringMatching(/ http:\/\/[\d.]+:\d+\/boot\/snponly\.efi$/);
    // Beside another server it gives a URL and no address.
    expect(new Set(http.told)).toEqual(new Set([url]));
    for (const line of http.told) expect(line.startsWith('no address')).toBe(mode === 'proxy');
    expect(cluster.meter.total(name, 'tftp')).toBe(0);
    expect(cluster.meter.total(name, 'http')).toBeGreaterThan(40_000_000);
    if (mode === 'proxy') expect(await cluster.run(two, 'ip -4 -o addr')).toContain(dhcp.leases.get(mac(2)));
  },
);
