import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { machineIdOf } from '../../src/root/installed/machine-id.ts';
import { viverKernel } from '../vm/harness/direct.ts';
import { madeDisk } from '../vm/harness/disks.ts';
import { type Image, imageDisk } from '../vm/harness/images.ts';
import { INIT_RECIPES } from '../vm/harness/init-recipes.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { vmDirectory } from '../vm/harness/products.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';
import { type Recipe, variantImage } from '../vm/harness/variant-image.ts';

/** With an identity of the image, keys of a server that its package made among it. */
const SYSTEMS: Readonly<Record<string, Recipe>> = {
  'ssh-systemd': { base: 'debian', packages: ['openssh-server'] },
  'ssh-trixie': { base: { suite: 'trixie' }, packages: ['openssh-server'] },
  'ssh-sysvinit': { base: 'sysvinit', packages: ['openssh-server'] },
  'ssh-openrc': { ...INIT_RECIPES.openrc, packages: ['openssh-server', 'openrc'] },
  'ssh-runit': { ...INIT_RECIPES.runit, packages: ['openssh-server', 'runit-init'] },
  'dropbear-sysvinit': { base: 'sysvinit', packages: ['dropbear', 'openssh-client'] },
  'dropbear-systemd': { base: 'debian', packages: ['dropbear', 'openssh-client'] },
};
const OF_IMAGE = 'c0ffee00c0ffee00c0ffee00c0ffee00';
const SHELL = `echo ${OF_IMAGE} > /etc/machine-id
rm -f /var/lib/dbus/machine-id; mkdir -p /var/lib/dbus; echo ${OF_IMAGE} > /var/lib/dbus/machine-id
`;

interface Seen {
  readonly id: string;
  readonly key: string;
}

/** Boots it, asks its SSH server for its key, and switches it off. */
async function boot(name: string, image: Image, mac: string, cow?: string): Promise<Seen> {
  const disks = [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) } as const];
  const { results } = await runScenario({
    name,
    kernel: viverKernel(...(cow === undefined ? [] : ['viver.cow=LABEL=changes'])),
    disks: [
      ...disks,
      ...(cow === undefined ? [] : [{ name: 'cow', bus: 'usb', file: cow, keepWrites: true } as const]),
    ],
    nics: [{ name: 'lan', model: 'virtio-net-pci', mac }],
    steps: [
      { wait: rootReady(), within: 90 },
      ...LOGIN,
      { run: 'cat /etc/machine-id', output: new RegExp(`^${machineIdOf(`card ${mac}`)}$`) },
      { run: 'cmp /etc/machine-id /var/lib/dbus/machine-id' },
      // The server may still be starting.
      {
        run: 'for i in $(seq 60); do ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null | grep -o "AAAA.*" && break; sleep 1; done',
        output: /^AAAA/,
        within: 90,
      },
      ...POWER_OFF,
    ],
  });
  const [id = '', , key = ''] = results.slice(-5);
  return { id, key };
}

for (const [name, recipe] of Object.entries(SYSTEMS)) {
  test(`${name}: each machine has its own machine id and host key, and its server starts`, async () => {
    const image = await variantImage(name, { ...recipe, shell: `${recipe.shell ?? ''}${SHELL}` });
    const first = await boot(`${name}-1`, image, '52:54:00:00:0a:01');
    const second = await boot(`${name}-2`, image, '52:54:00:00:0a:02');
    expect(first.id).not.toBe(second.id);
    expect(first.key).not.toBe(second.key);
  });
}

test('on a machine that keeps its writes the host key stays', async () => {
  const image = await variantImage('ssh-systemd', { base: 'debian', packages: ['openssh-server'], shell: SHELL });
  const partition = { fileSystem: 'ext4', label: 'changes', sizeMiB: 256 } as const;
  const cow = join(vmDirectory('disks'), 'identity-kept.img');
  await copyFile(await madeDisk('cow', { table: 'gpt', partitions: [partition] }), cow);
  const first = await boot('identity-kept-1', image, '52:54:00:00:0a:01', cow);
  const second = await boot('identity-kept-2', image, '52:54:00:00:0a:01', cow);
  expect(second).toEqual(first);
});
