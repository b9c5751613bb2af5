import { execFile } from 'node:child_process';
import { copyFile, mkdir, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { MachineStatus } from '../../../src/runes/machine-status.ts';
import { checkOverview } from '../../../src/runes/overview/overview.ts';
import type { Cluster } from './cluster.ts';
import { viverKernel } from './direct.ts';
import { made } from './disks.ts';
import { type Image, imageDisk, indexOf, smallImage } from './images.ts';
import { LOGIN, rootReady } from './login.ts';
import type { Machine } from './machine.ts';
import { product } from './products.ts';
import type { Disk, Nic, Scenario, Step } from './scenario.ts';

const run = promisify(execFile);

/** Seconds to the login prompt, while other machines boot beside it. */
export const BOOT_SECONDS = 400;

/** smallImage with VIVER's own kernel and initrd in its /boot: a machine that runs it can boot others. */
export async function servingImage(
  base?: Image,
  name = 'serving',
  { hasFirstStage = true }: { readonly hasFirstStage?: boolean } = {},
): Promise<Image> {
  base ??= await smallImage();
  const boot = [product('vmlinuz'), product('viverrd.zst')];
  // For machines with Secure Boot on.
  const net = {
    'shimx64.efi': product('loaders/BOOTX64.EFI'),
    'grubx64.efi': product('loaders/grubnetx64.efi'),
    ...(hasFirstStage ? { 'first-stage.zst': product('first-stage.zst') } : {}),
  };
  const sqfs = await made(
    `${name}.sqfs`,
    { description: 'boot and net', files: [base.sqfs, ...boot, ...Object.values(net)] },
    async (target, work) => {
      const image = join(work, 'image');
      const directory = join(work, 'boot');
      await copyFile(base.sqfs, image);
      await mkdir(directory);
      for (const file of boot) await copyFile(file, join(directory, basename(file)));
      await mkdir(join(directory, 'viver-net'));
      for (const [name, file] of Object.entries(net)) await copyFile(file, join(directory, 'viver-net', name));
      // Appended: /boot is new in it. Its files are compressed already.
      const options = ['-quiet', '-no-progress', '-all-root', '-all-time', '0', '-noD', '-keep-as-directory'];
      await run('mksquashfs', [directory, image, ...options]);
      await rename(image, target);
    },
  );
  return indexOf(name, sqfs);
}

export interface Server {
  readonly name: string;
  /** Last byte of its card's address. */
  readonly number: number;
  readonly image: Image;
  /** On the disk too, and not run. */
  readonly otherImages?: readonly Image[];
  readonly words?: readonly string[];
  /** More cards, before the one with a cable. */
  readonly others?: readonly Nic[];
}

/** The server that gives addresses, or tells of boot files beside another, runs: from now on machines can boot. */
export const SERVES = 'until grep -qs "[d]nsmasq-dhcp" /proc/[0-9]*/cmdline; do sleep 1; done';

/** The address on the wire, once there is one. */
export async function addressOf(cluster: Cluster, machine: Machine): Promise<string> {
  const text = await cluster.run(machine, 'until ip -4 -o addr | grep "inet.* eth"; do sleep 1; done');
  const [, address] = /inet (\d+\.\d+\.\d+\.\d+)\/\d+ [^\n]*eth/.exec(text) ?? [];
  if (address === undefined) throw new Error(`${machine.scenario.name}: no address in ${JSON.stringify(text)}`);
  return address;
}

/** What `viver status` says of the machine itself, as soon as its web server answers. */
export async function statusOf(cluster: Cluster, machine: Machine): Promise<MachineStatus> {
  const text = await cluster.run(
    machine,
    'until /usr/local/bin/viver status --json 2>/dev/null; do sleep 1; done',
    120,
  );
  const { machines } = checkOverview(JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)));
  const status = machines[0]?.status;
  if (status === undefined || status === null) throw new Error(`${machine.scenario.name}: no status of its own`);
  return status;
}

/** The image has no udev that would load a network card's driver, so the initrd must. */
const WITH_NETWORK = 'viver.media=scsi,net';

/** A machine that has the image on a disk, and boots the others. */
export async function server(of: Server): Promise<Scenario> {
  const { name, number, image, otherImages = [], words = [], others = [] } = of;
  return {
    name,
    memoryMiB: 1024,
    kernel: viverKernel(`viver.image=${image.name}`, WITH_NETWORK, ...words),
    disks: [{ name: 'image', bus: 'virtio', file: await imageDisk(image, 'ext4', otherImages) }],
    nics: [...others, { name: 'net', model: 'virtio-net-pci', mac: mac(number), wire: 'lan' }],
    steps: [{ wait: rootReady({ image: image.name }), within: BOOT_SECONDS }, ...LOGIN],
  };
}

export interface PxeMachine {
  readonly name: string;
  readonly number: number;
  readonly image: Image;
  readonly firmware?: 'bios' | 'uefi' | 'secure-boot';
  readonly model?: Nic['model'];
  /** See Nic. */
  readonly pxeBy?: Nic['pxe'];
  readonly cpus?: number;
  /** More cards, beside the one it boots from. */
  readonly others?: readonly Nic[];
  /** Disks of its own, which it does not boot from. */
  readonly disks?: readonly Disk[];
  /** Until its root is ready. Default: BOOT_SECONDS. */
  readonly within?: number;
}

/** A card without a cable. */
export const darkCard = (number: number): Nic => ({ name: 'dark', model: 'rtl8139', mac: mac(number) });

/** A machine without a disk that boots from its card. Its steps end at a shell. */
export function pxe(of: PxeMachine): Scenario {
  const { name, number, image, firmware = 'bios', model = 'e1000', pxeBy = 'rom', cpus = 1 } = of;
  const { others = [], disks = [], within = BOOT_SECONDS } = of;
  const ready = rootReady({ image: `${image.name}@${image.id.slice(0, 12)}`, medium: 'net', device: '/dev/nbd0' });
  const steps: readonly Step[] = [{ wait: ready, within }, ...LOGIN];
  return {
    name,
    firmware,
    cpus,
    memoryMiB: 1024,
    disks,
    nics: [...others, { name: 'net', model, mac: mac(number), wire: 'lan', bootIndex: 1, pxe: pxeBy }],
    steps,
  };
}

export const mac = (number: number): string => `52:54:00:88:00:${number.toString(16).padStart(2, '0')}`;
