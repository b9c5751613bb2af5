import { test } from 'vitest';
import { machineIdOf } from '../../src/root/installed/machine-id.ts';
import { viverKernel } from './harness/direct.ts';
import { imageDisk } from './harness/images.ts';
import { INSTALLED_FILES, INSTALLED_SHELL, NOTHING_OF_ANOTHER } from './harness/installed.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { runScenario } from './harness/run-scenario.ts';
import { variantImage } from './harness/variant-image.ts';

const MAC = '52:54:00:00:0c:01';

test('a system installed on another machine waits for none of its disks, and no unit fails', async () => {
  const image = await variantImage('installed', { base: 'debian', files: INSTALLED_FILES, shell: INSTALLED_SHELL });
  await runScenario({
    name: 'installed-elsewhere',
    kernel: viverKernel(),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
    nics: [{ name: 'lan', model: 'virtio-net-pci', mac: MAC }],
    steps: [
      { wait: rootReady({ image: 'installed' }), within: 90 },
      ...LOGIN,
      { run: 'cat /etc/machine-id', output: machineIdOf(`card ${MAC}`) },
      ...NOTHING_OF_ANOTHER,
      ...POWER_OFF,
    ],
  });
});
