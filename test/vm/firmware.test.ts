import { beforeAll, test } from 'vitest';
import { madeDisk } from './harness/disks.ts';
import { smallImage } from './harness/images.ts';
import { copiedIso, isoOf } from './harness/isos.ts';
import { LOGIN, POWER_OFF, rootReady } from './harness/login.ts';
import { runScenario } from './harness/run-scenario.ts';
import { type Disk, FORBIDDEN, type Step } from './harness/scenario.ts';

let iso: string;
beforeAll(async () => {
  iso = await isoOf(await smallImage());
});

const ready = (medium: string): Step => ({ wait: rootReady({ image: 'small', medium, cow: 'ram' }), within: 150 });

/** With Secure Boot on, a module whose signature got lost is refused by the kernel and named. */
const UNSIGNED = /Lockdown: .*unsigned module|module verification failed|Loading of unsigned module/;

test.each([
  { as: 'a CD', name: 'secure-boot-cd', disk: { name: 'medium', bus: 'sata-cd' }, medium: 'cd' },
  { as: 'a written stick', name: 'secure-boot-stick', disk: { name: 'medium', bus: 'usb' }, medium: 'usb' },
] as const)('with Secure Boot on and nothing enrolled the ISO boots from $as, locked down', async (way) => {
  const disk: Disk = { ...way.disk, file: iso };
  // The driver of its controller is one of those that lie compressed in the initrd: its signature must survive that.
  const other = await madeDisk('empty', { table: 'mbr', partitions: [{ fileSystem: 'none', sizeMiB: 1 }] });
  await runScenario({
    name: way.name,
    firmware: 'secure-boot',
    cpus: 2,
    disks: [disk, { name: 'other', bus: 'pvscsi', file: other }],
    forbidden: [...FORBIDDEN, UNSIGNED],
    steps: [
      ready(way.medium),
      ...LOGIN,
      { run: 'dmesg | grep -i "secure boot enabled"', output: /Secure boot enabled/i },
      { run: 'dmesg | grep -i "locked down"', output: /Kernel is locked down from EFI Secure Boot/ },
      { run: 'find /run/initramfs/lib/modules -name "vmw_pvscsi.ko*"', output: /\/vmw_pvscsi\.ko\.zst$/ },
      // Nothing waited for a disk that is not the medium's.
      { run: 'until lsmod | grep "^vmw_pvscsi "; do sleep 1; done' },
      { run: `! dmesg | grep -E '${UNSIGNED.source}'` },
      ...POWER_OFF,
    ],
  });
});

test("the ISO's files copied onto a FAT32 stick boot by UEFI", async () => {
  await runScenario({
    name: 'files-on-fat32',
    firmware: 'uefi',
    cpus: 2,
    disks: [{ name: 'stick', bus: 'usb', file: await copiedIso(iso) }],
    steps: [ready('usb'), ...LOGIN, ...POWER_OFF],
  });
});
