import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { checkoutAt } from '../../src/kit/initrd/kit-files.ts';
import { makeInitrd } from '../../src/kit/initrd/make-initrd.ts';
import { HTTP_PORT } from '../../src/runes/places.ts';
import { Cluster } from '../vm/harness/cluster.ts';
import { DhcpServer } from '../vm/harness/dhcp-server.ts';
import { directKernel, viverKernel } from '../vm/harness/direct.ts';
import { made } from '../vm/harness/disks.ts';
import { pinned } from '../vm/harness/field-machines.ts';
import { builtImage } from '../vm/harness/images.ts';
import { viver } from '../vm/harness/isos.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { BUILD, CHECKOUT, product } from '../vm/harness/products.ts';
import { mac } from '../vm/harness/pxe-machines.ts';
import { performAll } from '../vm/harness/run-scenario.ts';
import type { Scenario, Step } from '../vm/harness/scenario.ts';

const run = promisify(execFile);
const SECRET = 'the secret of this field, in no archive that is served';
/** Seconds; three machines share the host. */
const BOOT = 400;

interface Keyed {
  readonly iso: string;
  /** As `make initrd` leaves it, for images: without the key. */
  readonly served: string;
  /** As it lies on the ISO. */
  readonly onMedium: string;
}

/** What `make initrd` and `make iso` make of a checkout with a secret in initrd/etc/viver/field.key. */
async function keyedIso(): Promise<Keyed> {
  const { sqfs, caibx } = await builtImage('debian');
  const inputs = { description: SECRET, files: [product('viver'), sqfs, caibx, join(CHECKOUT, 'initrd/modules.list')] };
  const directory = await made('field-key', inputs, async (target, work) => {
    const kit = { ...checkoutAt(CHECKOUT), tables: join(work, 'tables') };
    await cp(join(CHECKOUT, 'initrd'), kit.tables, { recursive: true });
    await writeFile(join(kit.tables, 'etc/viver/field.key'), `${SECRET}\n`);
    const out = join(work, 'out');
    await mkdir(out);
    await makeInitrd({ kit, tree: join(BUILD, 'kernel'), output: join(out, 'viverrd.zst'), level: 3 });
    await copyFile(product('vmlinuz'), join(out, 'vmlinuz'));
    const iso = join(out, 'keyed.iso');
    await viver('iso', sqfs, '-o', iso, '--boot', out);
    const extract = ['-extract', '/boot/viverrd.zst', join(out, 'medium.zst')];
    await run('xorriso', ['-osirrox', 'on', '-indev', iso, ...extract]);
    await rename(out, target);
  });
  const file = (name: string) => join(directory, name);
  return { iso: file('keyed.iso'), served: file('viverrd.zst'), onMedium: file('medium.zst') };
}

/** Whether the secret is in a compressed archive or in what lies behind it. */
async function holdsSecret(file: string): Promise<boolean> {
  const unpacked = execFile('sh', ['-c', `{ zstd -dcq "$0" 2>/dev/null; cat "$0"; } | grep -acF '${SECRET}'`, file]);
  return (await new Promise((resolve) => unpacked.once('close', resolve))) === 0;
}

test('an ISO made with a field key boots; who boots from it shares the image, who has no key gets nothing', async () => {
  const keyed = await keyedIso();
  expect(await holdsSecret(keyed.served)).toBe(false);
  expect(await holdsSecret(keyed.onMedium)).toBe(true);

  const image = await builtImage('debian');
  await using lan = await Cluster.open();
  const dhcp = new DhcpServer('10.77.0.254');
  using _plugged = dhcp.plugInto(lan.wire);
  const machine = (name: string, number: number, steps: readonly Step[]): Scenario => ({
    name: `field-key-${name}`,
    memoryMiB: 1024,
    nics: [{ name: 'net', model: 'virtio-net-pci', mac: mac(number), wire: 'lan' }],
    steps,
  });
  const modeOf: Step = { run: 'stat -c %a /run/initramfs/etc/viver/field.key', output: /^400$/ };
  const first = await lan.powerOn({
    ...machine('iso', 1, [
      { wait: rootReady({ image: 'debian', medium: 'cd' }), within: BOOT },
      ...LOGIN,
      modeOf,
      { run: 'until dmesg | grep -q "viver field: ready"; do sleep 1; done', within: 120 },
    ]),
    disks: [{ name: 'cd', bus: 'sata-cd', file: keyed.iso }],
  });
  await performAll(first);
  const second = await lan.powerOn({
    ...machine('net', 2, [
      { wait: rootReady({ image: 'debian', medium: 'net' }), within: BOOT },
      ...LOGIN,
      modeOf,
      ...POWER_OFF,
    ]),
    kernel: directKernel(keyed.onMedium, 'viver.media=net', pinned(image)),
  });
  await performAll(second);
  const stranger = await lan.powerOn({
    ...machine('stranger', 3, [{ wait: /viver: boot failed: no machine on the network offers debian/, within: BOOT }]),
    kernel: viverKernel('viver.media=net', 'viver.wait=60', pinned(image)),
  });
  await performAll(stranger);
  const script = `http://${dhcp.leases.get(mac(1))}:${HTTP_PORT}/boot/boot.ipxe`;
  const wget = `chroot /run/initramfs busybox wget -q -O - ${script}`;
  const says = await lan.run(first, `for i in $(seq 60); do ${wget} && break; sleep 1; done`, 120);
  expect(says).toContain('share their image by a secret key');
});
