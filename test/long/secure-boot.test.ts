import { expect, test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { pxe, SERVES, server, servingImage, statusOf } from '../vm/harness/pxe-machines.ts';
import { perform } from '../vm/harness/steps.ts';

/** With Secure Boot on, a module whose signature got lost is refused by the kernel and named. */
const UNSIGNED = 'Lockdown: .*unsigned module|module verification failed|Loading of unsigned module';

test('a machine with Secure Boot on and nothing enrolled boots by network at its second power-on, locked down', {
  timeout: 2_400_000,
}, async () => {
  const image = await servingImage();
  await using cluster = await Cluster.open({ slots: 'one' });
  const one = await cluster.powerOn(await server({ name: 'secure-net-server', number: 1, image }));
  await cluster.performAll(one);
  await cluster.run(one, SERVES, 120);
  expect((await statusOf(cluster, one)).secureBoot?.lack).toBeNull();

  const firmware = 'secure-boot';
  const card = { model: 'virtio-net-pci', pxeBy: 'firmware' } as const;
  const scenario = pxe({ name: 'secure-net', number: 2, image, firmware, cpus: 2, ...card });
  const machine = await cluster.powerOn({ ...scenario, steps: [] });
  // iPXE is not signed: refused, and the server notices when the machine asks again, by HTTP.
  for (const entry of ['PXEv4', 'HTTPv4'])
    await perform(machine, { wait: new RegExp(`failed to load .*${entry}`), within: 400 });
  await perform(machine, { qmp: 'system_reset' });
  for (const step of scenario.steps) await perform(machine, step);
  await cluster.run(machine, 'dmesg | grep "Kernel is locked down from EFI Secure Boot"');
  const words = await cluster.run(machine, 'cat /proc/cmdline');
  expect(words).toMatch(/viver\.first=[0-9a-f]{64}\//);
  expect(words).toContain(`viver.image=${image.name}@sha256:${image.id}`);
  await cluster.run(machine, `! dmesg | grep -E '${UNSIGNED}'`);
});
