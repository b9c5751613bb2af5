import { test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { builtImage } from '../vm/harness/images.ts';
import { POWER_OFF } from '../vm/harness/login.ts';
import { pxe, SERVES, server } from '../vm/harness/pxe-machines.ts';

const LONG_MS = 1_800_000;

test('512 MB of memory are enough to boot Debian by network to a login prompt', { timeout: LONG_MS }, async () => {
  // It has kernel and initrd in its own /boot: what a machine that boots by network is given.
  const image = await builtImage('debian');
  await using cluster = await Cluster.open();
  const one = await cluster.powerOn(await server({ name: 'memory-server', number: 1, image }));
  await cluster.performAll(one);
  await cluster.run(one, SERVES, 180);
  const small = pxe({ name: 'memory-512-net', number: 2, image });
  const steps = [...small.steps, { run: 'grep -E "MemTotal|MemAvailable" /proc/meminfo' }, ...POWER_OFF];
  await cluster.performAll(await cluster.powerOn({ ...small, memoryMiB: 512, steps }));
});
