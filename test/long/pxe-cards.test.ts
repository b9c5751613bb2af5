import { expect, test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { pxe, SERVES, server, servingImage } from '../vm/harness/pxe-machines.ts';
import type { Nic } from '../vm/harness/scenario.ts';

const MODELS: readonly Nic['model'][] = ['e1000', 'virtio-net-pci', 'rtl8139', 'vmxnet3'];

test('e1000, virtio-net, rtl8139 and vmxnet3 boot, each by BIOS and by UEFI', { timeout: 1_500_000 }, async () => {
  const image = await servingImage();
  await using cluster = await Cluster.open();
  const one = await cluster.powerOn(await server({ name: 'pxe-cards-server', number: 1, image }));
  await cluster.performAll(one);
  await cluster.run(one, SERVES, 120);
  for (const [index, model] of MODELS.entries()) {
    const pair = (['bios', 'uefi'] as const).map((firmware, side) =>
      pxe({ name: `pxe-${firmware}-${model}`, number: 10 + 2 * index + side, image, firmware, model }),
    );
    const machines = await Promise.all(pair.map((scenario) => cluster.powerOn(scenario)));
    await Promise.all(machines.map((machine) => cluster.performAll(machine)));
    for (const machine of machines) {
      expect(await cluster.run(machine, 'cat /etc/variant')).toBe('one');
      await cluster.powerOff(machine);
    }
  }
});
