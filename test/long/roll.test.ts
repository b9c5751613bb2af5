import { test } from 'vitest';
import { viverKernel } from '../vm/harness/direct.ts';
import { builtImage, imageDisk, smallImage } from '../vm/harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';
import { Wire } from '../vm/harness/wire.ts';

const RELEASE = 'viver.release=class@7';

test('a new version on a machine whose network fails starts anew by itself after five minutes', async () => {
  await runScenario({
    name: 'roll-ill',
    kernel: viverKernel(RELEASE, 'panic=5'),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(await smallImage('roll')) }],
    steps: [
      { wait: rootReady({ image: 'small' }), within: 90 },
      { wait: /not healthy after 300 s: the machine starts anew/, within: 330 },
      { expect: 'reset', within: 30 },
    ],
    mayStillRun: true,
  });
});

test('a new version whose services come up is healthy, and the machine goes on', async () => {
  await runScenario(
    {
      name: 'roll-well',
      memoryMiB: 1024,
      kernel: viverKernel(RELEASE),
      disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(await builtImage('debian')) }],
      nics: [{ name: 'lan', model: 'virtio-net-pci', wire: 'lan' }],
      steps: [
        { wait: rootReady({ image: 'debian' }), within: 120 },
        ...LOGIN,
        { run: 'until [ -e /run/viver/healthy ]; do sleep 1; done', within: 240 },
        { run: 'viver roll status', output: /^nothing is rolled out[\s\S]*healthy/, within: 60 },
        { run: 'systemctl is-active boot-complete.target', output: 'active' },
        ...POWER_OFF,
      ],
    },
    { wires: { lan: new Wire() } },
  );
});
