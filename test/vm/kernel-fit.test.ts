import { expect, test } from 'vitest';
import { viverKernel } from './harness/direct.ts';
import { imageDisk, smallImage } from './harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { runScenario } from './harness/run-scenario.ts';

test('an image without modules for the running kernel: one line says so, and those of the initrd stay', async () => {
  const { console: lines } = await runScenario({
    name: 'fit-no-modules',
    kernel: viverKernel(),
    machine: 'q35',
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(await smallImage()) }],
    nics: [{ name: 'card', model: 'e1000e' }],
    devices: [{ driver: 'intel-hda' }, { driver: 'i6300esb' }],
    steps: [
      { wait: /the image has no modules for the running kernel 6\.\S+ \(it has no modules at all\)/, within: 60 },
      { wait: rootReady({ image: 'small' }), within: 60 },
      ...LOGIN,
      { run: 'ls /lib/modules/$(uname -r)/modules.dep /lib/modules/$(uname -r)/kernel/drivers/net' },
      { run: 'until ls /sys/class/net | grep eth0; do sleep 1; done' },
      ...POWER_OFF,
    ],
  });
  expect(lines.filter(({ text }) => text.includes('has no modules for the running kernel'))).toHaveLength(1);
});
