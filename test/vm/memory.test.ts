import { expect, test } from 'vitest';
import { directKernel } from './harness/direct.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { product } from './harness/products.ts';
import { runScenario } from './harness/run-scenario.ts';

test('512 MB of memory are enough to boot the ISO to a login prompt', async () => {
  await runScenario({
    name: 'memory-512-iso',
    memoryMiB: 512,
    disks: [{ name: 'medium', bus: 'sata-cd', file: product('viver.iso') }],
    steps: [
      { wait: rootReady({ image: 'debian', medium: 'cd', cow: 'ram' }), within: 150 },
      ...LOGIN,
      { run: 'grep -E "MemTotal|MemAvailable" /proc/meminfo; systemctl --failed --no-legend' },
      ...POWER_OFF,
    ],
  });
});

test('a machine whose memory the archive does not fit into says so in one line, and what is needed', async () => {
  const { console: lines } = await runScenario({
    name: 'memory-too-little',
    memoryMiB: 256,
    // Packed, as loaders hand it over.
    kernel: directKernel(product('viverrd.zst'), 'panic=2'),
    mayStillRun: true,
    steps: [
      { wait: /^viver: boot failed: too little memory: 2\d\d MB .* VIVER needs \d{3}$/, within: 60 },
      { wait: 'viver: reboot in 2 s (panic=2)', within: 10 },
      { expect: 'reset', within: 30 },
    ],
  });
  expect(lines.filter(({ text }) => text.startsWith('viver: boot failed'))).toHaveLength(1);
});
