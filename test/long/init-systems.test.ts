import { test } from 'vitest';
import { Cluster } from '../vm/harness/cluster.ts';
import { viverKernel } from '../vm/harness/direct.ts';
import { diskless, holder, staticAddress } from '../vm/harness/field-machines.ts';
import { builtImage, imageDisk } from '../vm/harness/images.ts';
import { INIT_RECIPES } from '../vm/harness/init-recipes.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { performAll, runScenario } from '../vm/harness/run-scenario.ts';
import type { Step } from '../vm/harness/scenario.ts';
import { variantImage } from '../vm/harness/variant-image.ts';

test('Debian 13, systemd 257, boots with no failed unit and switches itself off', async () => {
  const image = await variantImage('trixie', { base: { suite: 'trixie' } });
  await runScenario({
    name: 'trixie',
    kernel: viverKernel(),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(image) }],
    steps: [
      { wait: rootReady({ image: 'trixie', medium: 'scsi' }), within: 90 },
      ...LOGIN,
      { run: 'systemctl is-system-running --wait', output: 'running', within: 90 },
      { run: 'systemctl --version', output: /^systemd 257 / },
      ...POWER_OFF,
    ],
  });
});

/** What PID 1 is called. */
const COMM: Readonly<Record<string, string>> = { openrc: 'init', runit: 'runit', void: 'runit', sysvinit: 'init' };

const RUNS: readonly Step[] = [
  {
    run: 'until pgrep -f "viver runes" > /dev/null || pgrep -f "init runes" > /dev/null; do sleep 1; done',
    within: 60,
  },
  { run: 'pgrep -af "@viver-field field up"', output: /viver-field/ },
  { run: 'ls -d /run/systemd/system', status: 2 },
  { run: 'pgrep -f udevd', output: /^\d+/ },
];

for (const name of [...Object.keys(INIT_RECIPES), 'sysvinit']) {
  test(`${name}: from a disk and without one to a login with roles and field, and off again`, async () => {
    const recipe = INIT_RECIPES[name as keyof typeof INIT_RECIPES];
    const image = recipe === undefined ? await builtImage('sysvinit') : await variantImage(name, recipe);
    const own: Step = { run: 'cat /proc/1/comm', output: new RegExp(`^${COMM[name]}$`) };
    await using field = await Cluster.open({ slots: 'one' });
    const first = await field.powerOn(
      await holder({ name: `${name}-holder`, number: 1, image, steps: [own, ...RUNS] }),
    );
    await performAll(first);
    const steps = [own, ...RUNS, { run: '! dmesg | grep -iE "I/O error|squashfs error"' }, ...POWER_OFF];
    const second = await field.powerOn(
      diskless({ name: `${name}-diskless`, number: 2, image, words: [staticAddress(2), 'viver.wait=900'], steps }),
    );
    await performAll(second);
    await field.perform(first, POWER_OFF);
  });
}
