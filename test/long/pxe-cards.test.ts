import { expect, test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { pxe, SERVES, server, servingImage } from '../vm/harness/pxe-machines.ts';

/** Those that QEMU has an iPXE ROM for. */
const MODELS = ['e1000', 'e1000e', 'virtio-net-pci', 'rtl8139', 'vmxnet3', 'pcnet', 'ne2k_pci', 'i82550'] as const;

test.each(MODELS)('%s boots by BIOS and by UEFI', { timeout: 1_000_000 }, async (model) => {
  const image = await servingImage();
  await using cluster = await Cluster.open();
  const one = await cluster.powerOn(await server({ name: 'cards-server', number: 1, image }));
  await cluster.performAll(one);
  await cluster.run(one, SERVES, 120);
  const pair = (['bios', 'uefi'] as const).map((firmware, index) =>
    pxe({ name: `cards-${firmware}-${model}`, number: 10 + index, image, firmware, model }),
  );
  const machines = await Promise.all(pair.map((scenario) => cluster.powerOn(scenario)));
  await Promise.all(machines.map((machine) => cluster.performAll(machine)));
  for (const machine of machines) expect(await cluster.run(machine, 'cat /etc/variant')).toBe('one');
});
