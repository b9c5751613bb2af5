import { beforeAll, expect, test } from 'vitest';
import { viverKernel } from './harness/direct.ts';
import { type Image, imageDisk, smallImage } from './harness/images.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { runScenario } from './harness/run-scenario.ts';

let small: Image;
beforeAll(async () => {
  small = await smallImage();
});

interface Reported {
  readonly modules: readonly { readonly name: string; readonly outcome: string }[];
}

/** What became of each module that /init asked for, and which are in the kernel. */
async function modulesOf(name: string, ...words: readonly string[]) {
  const { results } = await runScenario({
    name,
    kernel: viverKernel(...words),
    disks: [{ name: 'disk', bus: 'virtio', file: await imageDisk(small) }],
    steps: [
      { wait: rootReady({ image: 'small' }), within: 90 },
      ...LOGIN,
      { run: 'cat /run/viver/boot.json' },
      { run: 'cat /proc/modules' },
      ...POWER_OFF,
    ],
  });
  const [report = '', kernel = ''] = results.slice(LOGIN.length + 1);
  const { modules }: Reported = JSON.parse(report);
  return {
    outcomes: new Map(modules.map(({ name, outcome }) => [name, outcome])),
    kernel: kernel.split('\n').map((line) => line.split(' ')[0]),
  };
}

test('what nearly every boot wants is in the kernel when /init asks for it', async () => {
  const { outcomes } = await modulesOf('early-modules');
  for (const name of ['virtio_blk', 'ext4', 'squashfs', 'overlay', 'loop']) expect(outcomes.get(name)).toBe('present');
});

test.each([
  { as: 'a blacklist', word: 'viver.modules.blacklist=isofs', absent: 'isofs' },
  { as: 'a parameter', word: 'loop.max_part=3', absent: undefined },
])('nothing is loaded before /init has read what somebody says of modules: $as', async ({ word, absent }) => {
  const { outcomes, kernel } = await modulesOf(`early-modules-${absent ?? 'parameter'}`, word);
  for (const name of ['virtio_blk', 'ext4', 'squashfs', 'loop']) expect(outcomes.get(name)).toBe('loaded');
  if (absent !== undefined) expect(kernel).not.toContain(absent);
});
