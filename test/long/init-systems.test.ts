import { test } from 'vitest';
import { viverKernel } from '../vm/harness/direct.ts';
import { imageDisk } from '../vm/harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';
import { variantImage } from '../vm/harness/variant-image.ts';

test('Debian 13, systemd 257, boots with no failed unit and switches itself off', async () => {
  const image = await variantImage('trixie', { base: { suite: 'trixie' } });
  await runScenario({
    name: 'trixie',
    kernel: viverKernel(),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
    steps: [
      { wait: rootReady({ image: 'trixie', medium: 'scsi' }), within: 90 },
      ...LOGIN,
      { run: 'systemctl is-system-running --wait', output: 'running', within: 90 },
      { run: 'systemctl --version', output: /^systemd 257 / },
      ...POWER_OFF,
    ],
  });
});
