import { test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { madeDisk } from './harness/disks.ts';
import { staticAddress } from './harness/field-machines.ts';
import { filesOf, imageDisk, smallImage } from './harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { kernelWith } from './harness/own-initrd.ts';
import { performAll } from './harness/run-scenario.ts';
import type { Scenario, Step } from './harness/scenario.ts';
import { signed } from './harness/signing.ts';

/** Seconds; the machines share the host. */
const BOOT = 300;
const SERVES: Step = { run: 'until dmesg | grep -q "viver field: ready"; do sleep 1; done', within: 120 };

test('with keys in the initrd a machine boots from the network unpinned: the signed image, not the other one', async () => {
  const [image, other] = [await smallImage(), await smallImage('two')];
  const { publicKey, signature } = await signed(image);
  const keys = { 'etc/viver/keys/own.pub': publicKey };
  const disk = await madeDisk('signed', {
    table: 'gpt',
    partitions: [
      { fileSystem: 'ext4', files: { ...filesOf(image), '/viver/small.caibx.minisig': signature }, sizeMiB: 64 },
    ],
  });
  await using lan = await Cluster.open({ slots: 'one' });
  const machine = async (number: number, words: readonly string[], rest: Partial<Scenario>): Promise<Scenario> => ({
    name: `trust-net-${number}`,
    memoryMiB: 1024,
    kernel: await kernelWith(keys, staticAddress(number), ...words),
    nics: [{ name: 'net', model: 'virtio-net-pci', mac: `52:54:00:77:00:0${number}`, wire: 'lan' }],
    steps: [],
    ...rest,
  });
  const ready = (medium: string, of = image) => rootReady({ image: `${of.name}@${of.id.slice(0, 12)}`, medium });
  const start = async (scenario: Scenario): Promise<void> => {
    await performAll(await lan.powerOn(scenario));
  };
  // Without keys of its own it gives an image that nobody signed.
  const plain = await machine(1, [], {
    kernel: await kernelWith({}, staticAddress(1)),
    disks: [{ name: 'image', bus: 'virtio', file: await imageDisk(other) }],
    steps: [{ wait: ready('scsi', other), within: BOOT }, ...LOGIN, SERVES],
  });
  const holder = await machine(2, [], {
    disks: [{ name: 'image', bus: 'virtio', file: disk }],
    steps: [{ wait: ready('scsi'), within: BOOT }, ...LOGIN, SERVES],
  });
  await Promise.all([start(plain), start(holder)]);
  await start(
    await machine(3, ['viver.media=net'], {
      steps: [
        { wait: ready('net'), within: BOOT },
        ...LOGIN,
        { run: 'grep -A1 -F "from the field" /run/viver/boot.json', output: /by key/ },
        ...POWER_OFF,
      ],
    }),
  );
});
