import { expect, test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { pxe, SERVES, server, servingImage, statusOf } from '../vm/harness/pxe-machines.ts';

/** With Secure Boot on, a module whose signature got lost is refused by the kernel and named. */
const UNSIGNED = 'Lockdown: .*unsigned module|module verification failed|Loading of unsigned module';

test('a machine with Secure Boot on and nothing enrolled boots by network, locked down; one with it off gets iPXE by the same way', {
  timeout: 2_400_000,
}, async () => {
  const image = await servingImage();
  await using cluster = await Cluster.open({ slots: 'one' });
  const one = await cluster.powerOn(await server({ name: 'secure-net-server', number: 1, image }));
  await cluster.performAll(one);
  await cluster.run(one, SERVES, 120);
  expect((await statusOf(cluster, one)).secureBoot?.lack).toBeNull();

  const seconds: number[] = [];
  for (const firmware of ['secure-boot', 'uefi'] as const) {
    const startMs = performance.now();
    const number = firmware === 'uefi' ? 3 : 2;
    const model = 'virtio-net-pci';
    const machine = await cluster.powerOn(
      pxe({ name: `secure-net-${firmware}`, number, image, firmware, model, pxeBy: 'firmware', cpus: 2 }),
    );
    await cluster.performAll(machine);
    seconds.push((performance.now() - startMs) / 1000);
    const isOn = firmware === 'secure-boot';
    const locked = await cluster.run(machine, 'dmesg | grep -ic "Kernel is locked down from EFI Secure Boot" || true');
    expect(locked.includes('1')).toBe(isOn);
    const words = await cluster.run(machine, 'cat /proc/cmdline');
    expect(/viver\.first=[0-9a-f]{64}\//.test(words)).toBe(isOn);
    expect(words).toContain(`viver.image=${image.name}@sha256:${image.id}`);
    await cluster.run(machine, `! dmesg | grep -E '${UNSIGNED}'`);
    await cluster.powerOff(machine);
  }
  console.log(
    `from power-on to the login, Secure Boot on and off: ${seconds.map((one) => one.toFixed(1)).join(' s, ')} s`,
  );
});
