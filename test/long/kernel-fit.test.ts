import { execFile } from 'node:child_process';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { checkoutAt } from '../../src/kit/initrd/kit-files.ts';
import { makeInitrd } from '../../src/kit/initrd/make-initrd.ts';
import { viverKernel } from '../vm/harness/direct.ts';
import { made } from '../vm/harness/disks.ts';
import { builtImage, imageDisk } from '../vm/harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { CHECKOUT, product } from '../vm/harness/products.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';
import type { DirectKernel, Step } from '../vm/harness/scenario.ts';
import { mmdebstrap, variantImage } from '../vm/harness/variant-image.ts';

const run = promisify(execFile);
const LONG_MS = 1_800_000;

/** Debian 13's kernel with an initrd of its modules, which its package has compressed by xz. */
async function debian13Kernel(): Promise<DirectKernel> {
  const inputs = { description: 'trixie', files: [product('viver'), join(CHECKOUT, 'initrd/modules.list')] };
  const directory = await made('kernel-trixie', inputs, async (target, work) => {
    const tar = join(work, 'kernel.tar');
    await mmdebstrap('trixie', ['--variant=extract', '--include=linux-image-amd64'], tar, work);
    const tree = join(work, 'tree');
    await mkdir(tree);
    // Only what belongs to the kernel; whatever /lib is in the tar, here it leads to where the modules are.
    const script = `tar -xf ${tar} --wildcards './boot/*' '*lib/modules/*'
[ -e lib/modules ] || { rm -f lib; ln -s usr/lib lib; }
depmod -b . "$(ls lib/modules)"`;
    await run('sh', ['-euc', script], { cwd: tree });
    await mkdir(join(work, 'out'));
    await makeInitrd({ kit: checkoutAt(CHECKOUT), tree, output: join(work, 'out/viverrd.zst'), level: 3 });
    await run('sh', ['-euc', `cp ${tree}/boot/vmlinuz-* ${work}/out/vmlinuz`]);
    await rename(join(work, 'out'), target);
  });
  return {
    kernel: join(directory, 'vmlinuz'),
    initrd: join(directory, 'viverrd.zst'),
    commandLine: 'console=ttyS0 mitigations=off',
  };
}

const UNFIT = 'the image has no modules for the running kernel';

/** What shows that devices are driven by modules which the image does not have. */
const DRIVEN: readonly Step[] = [
  { run: 'ls /lib/modules/$(uname -r)/modules.dep /lib/modules/$(uname -r)/kernel' },
  { run: 'until lsmod | grep "^e1000e "; do sleep 1; done' },
  { run: 'until ls /sys/class/net | grep -E "^e(np|th|ns)"; do sleep 1; done' },
  // The image's own modprobe finds them where it looks.
  { run: 'modprobe fat && lsmod', output: /^fat /m },
];

test('an image with the modules of 6.1 runs under the kernel of Debian 13', { timeout: LONG_MS }, async () => {
  const { console: lines } = await runScenario({
    name: 'fit-newer-kernel',
    kernel: await debian13Kernel(),
    machine: 'q35',
    cpus: 2,
    disks: [{ name: 'disk', bus: 'sata', file: await imageDisk(await builtImage('debian')) }],
    nics: [{ name: 'card', model: 'e1000e' }],
    steps: [
      { wait: /no modules for the running kernel 6\.1[2-9]\S* \(it has those of 6\.1\.0-\S+ only\)/, within: 120 },
      { wait: rootReady({ image: 'debian' }), within: 120 },
      ...LOGIN,
      ...DRIVEN,
      ...POWER_OFF,
    ],
  });
  expect(lines.filter(({ text }) => text.includes(UNFIT))).toHaveLength(1);
});

test('an image with the modules of a newer kernel runs under 6.1', { timeout: LONG_MS }, async () => {
  const image = await variantImage('newer-modules', {
    base: { suite: 'trixie' },
    shell: 'cd /usr/lib/modules && mv 6.1.* 6.12.99-amd64 && ls 6.12.99-amd64/modules.dep',
  });
  const { console: lines } = await runScenario({
    name: 'fit-older-kernel',
    kernel: viverKernel(),
    machine: 'q35',
    cpus: 2,
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
    nics: [{ name: 'card', model: 'e1000e' }],
    steps: [
      { wait: /no modules for the running kernel 6\.1\.\S+ \(it has those of 6\.12\.99-amd64 only\)/, within: 120 },
      { wait: rootReady({ image: 'newer-modules' }), within: 120 },
      ...LOGIN,
      ...DRIVEN,
      ...POWER_OFF,
    ],
  });
  expect(lines.filter(({ text }) => text.includes(UNFIT))).toHaveLength(1);
});
