import { test } from 'vitest';
import { machineIdOf } from '../../src/root/installed/machine-id.ts';
import { viverKernel } from './harness/direct.ts';
import { imageDisk, smallImage } from './harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { runScenario } from './harness/run-scenario.ts';

const MACS = ['52:54:00:00:0b:01', '52:54:00:00:0b:02'] as const;

test('two machines of one image have machine ids of their hardware, not the one of the image', async () => {
  const image = await smallImage('identity', { 'etc/machine-id': 'c0ffee00c0ffee00c0ffee00c0ffee00\n' });
  for (const [index, mac] of MACS.entries()) {
    await runScenario({
      name: `identity-${index + 1}`,
      kernel: viverKernel(),
      disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
      nics: [{ name: 'lan', model: 'virtio-net-pci', mac }],
      steps: [
        { wait: rootReady({ image: 'small' }), within: 90 },
        ...LOGIN,
        { run: 'cat /etc/machine-id', output: new RegExp(`^${machineIdOf(`card ${mac}`)}$`) },
        { run: 'ls -d /run/systemd/system', status: 1 },
        ...POWER_OFF,
      ],
    });
  }
});
