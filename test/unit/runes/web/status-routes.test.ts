import { expect, test } from 'vitest';
import { checkMachineStatus, LONGEST_TEXT, type MachineStatus } from '../../../../src/runes/machine-status.ts';
import { BootProgress } from '../../../../src/runes/overview/boot-progress.ts';
import { ownStatus } from '../../../../src/runes/own-status.ts';
import { LARGEST_BYTES } from '../../../../src/runes/peers.ts';
import { StatusRoutes } from '../../../../src/runes/web/status-routes.ts';
import { METRICS_STATUS } from './metrics-status.ts';

/** A wire full of machines that boot, some of them made up by a stranger. */
function manyLoading(): MachineStatus['loading'] {
  const progress = new BootProgress();
  for (let i = 0; i < 3000; i++) {
    const address = `192.168.${100 + (i >> 8)}.${i & 255}`;
    progress.hear({ address, mac: '52:54:00:aa:bb:cc', step: 'initrd', share: 1 / 3 }, i);
  }
  return progress.list(300_000);
}

test('a machine with very much to tell is still read by others', async () => {
  const { role, canServe, secureBoot, dhcp, tftp, load, refused, images, rolls, health } = METRICS_STATUS;
  const { field, strip } = METRICS_STATUS;
  const why = 'dnsmasq ended: '.padEnd(50_000, 'x');
  const plugins = Array.from({ length: 30 }, (_, i) => ({ name: `plugin-${i}`, state: 'failed' as const, why }));
  const machine = {
    hostname: 'one',
    macs: [],
    addresses: [],
    booted: 'medium' as const,
    bootMac: undefined,
    commandLine: '',
    image: undefined,
  };
  const network = {
    interfaceName: 'eth0',
    mac: '52:54:00:00:00:01',
    address: '10.0.0.1',
    prefixLength: 24,
    gateway: undefined,
    dns: [],
    search: [],
    origin: 'lease' as const,
    server: undefined,
  };
  const status = ownStatus(
    { machine, imageId: 'abc', network, field: field ?? undefined, strip: strip ?? undefined },
    {
      ...{ role, canServe, secureBoot, dhcp, tftp, load, refused, images, rolls, health, plugins },
      loading: manyLoading(),
    },
  );
  expect(status.plugins[0]?.why?.length).toBe(LONGEST_TEXT);
  const routes = new StatusRoutes({
    address: '10.0.0.1',
    status: async () => status,
    field: async () => undefined,
    sentBytes: () => 0,
  });
  for (const extent of ['brief', 'row', 'whole'] as const) {
    const query = new URLSearchParams(extent === 'whole' ? '' : extent);
    const answer = await routes.answer('/status.json', query, '10.0.0.2');
    const text = answer?.kind === 'text' ? answer.text : '';
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LARGEST_BYTES[extent]);
    expect(checkMachineStatus(JSON.parse(text)).loading.length).toBe(extent === 'row' ? 400 : 1024);
  }
  routes.stop();
});
