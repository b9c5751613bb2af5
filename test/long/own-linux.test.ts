import { execFile } from 'node:child_process';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { Cluster } from '../vm/harness/cluster.ts';
import { type InstalledDebian, installedDisk } from '../vm/harness/installed-disk.ts';
import { MIB } from '../vm/harness/keep-sticks.ts';
import { LOGIN, POWER_OFF, rootReady } from '../vm/harness/login.ts';
import { BUILD, CHECKOUT, vmDirectory } from '../vm/harness/products.ts';
import { BOOT_SECONDS, mac, SERVES } from '../vm/harness/pxe-machines.ts';
import { runScenario } from '../vm/harness/run-scenario.ts';
import type { Scenario, Step } from '../vm/harness/scenario.ts';

const run = promisify(execFile);
const DEB = join(BUILD, `viver_${manifest.version}_amd64.deb`);
const LONG_MS = 7_200_000;

beforeAll(async () => {
  await run('make', ['-s', 'kit'], { cwd: CHECKOUT, maxBuffer: 1 << 24 });
}, LONG_MS);

/** What the manual tells a person to type, on the installed machine. Answers come by a console of one line after another. */
const KIT_STEPS: readonly Step[] = [
  { run: 'findmnt -no FSTYPE /boot && findmnt -no FSTYPE /home', output: /^ext4\next4$/ },
  { run: 'dpkg -i /home/viver.deb', within: 300 },
  {
    run: 'viver image create / -o /home/school.sqfs --level 1',
    within: 1800,
    output: /left out: home \([\s\S]*\/home\/school\.sqfs: made, id sha256:[0-9a-f]{64}/,
  },
  { run: 'viver image ls /home/school.sqfs boot', output: /boot\/viverrd\.zst[\s\S]*boot\/vmlinuz\n/ },
  { run: 'viver stick /home/school.sqfs /dev/vdb --any-disk --yes', within: 900, output: /\/dev\/vdb: boots school/ },
];

/** An installed Debian makes its image and a disk that boots it; gives that disk. */
async function disksOf(of: InstalledDebian, name: string): Promise<string> {
  const installed = await installedDisk({ ...of, home: { 'viver.deb': DEB } });
  const stick = join(vmDirectory('disks'), `${name}-stick.img`);
  await rm(stick, { force: true });
  await writeFile(stick, '');
  await truncate(stick, 1024 * MIB);
  const unlock: readonly Step[] =
    of.passphrase === undefined
      ? []
      : [{ prompt: /unlock disk root_crypt[^\n]*: $/, within: 180 }, { type: `${of.passphrase}\n` }];
  await runScenario({
    name: `${name}-installed`,
    cpus: 2,
    disks: [
      { name: 'system', bus: 'virtio', file: installed },
      { name: 'stick', bus: 'virtio', file: stick, keepWrites: true },
    ],
    steps: [...unlock, ...LOGIN, ...KIT_STEPS, ...POWER_OFF],
  });
  return stick;
}

const own = (name: string, number: number, stick: string): Scenario => ({
  name,
  cpus: 2,
  memoryMiB: 2048,
  disks: [{ name: 'stick', bus: 'virtio', file: stick }],
  nics: [{ name: 'net', model: 'virtio-net-pci', mac: mac(number), wire: 'lan' }],
  steps: [{ wait: rootReady({ image: 'school', medium: 'scsi' }), within: BOOT_SECONDS }, ...LOGIN],
});

const byNetwork = (name: string, number: number): Scenario => ({
  name,
  memoryMiB: 1536,
  nics: [{ name: 'net', model: 'e1000', mac: mac(number), wire: 'lan', bootIndex: 1, pxe: 'rom' }],
  steps: [{ wait: rootReady({ image: 'school', medium: 'net', device: '/dev/nbd0' }), within: BOOT_SECONDS }, ...LOGIN],
});

/** What the installed system had and no other machine may have, on a machine that runs its image. */
const NOT_SHARED: readonly Step[] = [
  { run: 'cat /etc/machine-id', output: /^(?!0123456789abcdef0123456789abcdef)[0-9a-f]{32}$/ },
  { run: 'ls -A /home', output: /^$/ },
  { run: 'systemctl is-system-running --wait', output: /^running$/, within: 120 },
  { run: 'systemctl --failed --no-legend', output: /^$/ },
];

const CASES: readonly (readonly [what: string, name: string, of: InstalledDebian])[] = [
  ['Debian 12 on a disk', 'own-bookworm', { suite: 'bookworm' }],
  ['Debian 12 whose root is inside LUKS', 'own-luks', { suite: 'bookworm', passphrase: 'correct-horse' }],
  ['Debian 13 on a disk', 'own-trixie', { suite: 'trixie' }],
];

/** A machine runs the image that the installed one made, and boots another by network. */
async function classRoom(name: string, stick: string): Promise<void> {
  await using cluster = await Cluster.open();
  const first = await cluster.powerOn(own(`${name}-first`, 1, stick));
  await cluster.performAll(first);
  await cluster.perform(first, NOT_SHARED);
  await cluster.run(first, SERVES, 180);
  const second = await cluster.powerOn(byNetwork(`${name}-second`, 2));
  await cluster.performAll(second);
  await cluster.perform(second, NOT_SHARED);
}

test.each(CASES)(
  '%s becomes an image and a stick by the kit; a machine boots from it, another from that one',
  {
    timeout: LONG_MS,
  },
  async (_what, name, of) => {
    await classRoom(name, await disksOf(of, name));
  },
);
