import { test } from 'vitest';
import { LOGIN, rootReady } from '../vm/harness/login.ts';
import { product } from '../vm/harness/products.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';

test('a machine whose root lies on a stick sleeps and wakes up with it', async () => {
  await runScenario({
    name: 'sleep',
    // by its own boot loader: a kernel that QEMU starts by itself is not found again by the firmware
    disks: [{ name: 'stick', bus: 'usb', file: product('viver.iso') }],
    // QEMU's own power switch does not work any more after a sleep
    mayStillRun: true,
    steps: [
      { wait: rootReady({ image: 'debian', medium: 'usb' }), within: 120 },
      ...LOGIN,
      { run: '! systemctl hibernate' },
      { run: 'systemctl suspend', within: 60 },
      { pauseSeconds: 30, because: 'it falls asleep' },
      { qmp: 'system_wakeup' },
      { run: 'dmesg | grep "PM: suspend exit"', within: 60 },
      { run: 'echo 3 > /proc/sys/vm/drop_caches; cat /usr/bin/* > /dev/null', within: 120 },
      { run: '! dmesg | grep -iE "I/O error|squashfs error"' },
    ],
  });
});
