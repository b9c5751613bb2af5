import { execFile } from 'node:child_process';
import { copyFile, mkdir, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { viverKernel } from './direct.ts';
import { made } from './disks.ts';
import { type Image, imageDisk, indexOf, smallImage } from './images.ts';
import { LOGIN, rootReady } from './login.ts';
import { product } from './products.ts';
import type { Nic, Scenario, Step } from './scenario.ts';

const run = promisify(execFile);

/** Seconds to the login prompt, while other machines boot beside it. */
export const BOOT_SECONDS = 400;

/** smallImage with VIVER's own kernel and initrd in its /boot: a machine that runs it can boot others. */
export async function servingImage(): Promise<Image> {
  const base = await smallImage();
  const boot = [product('vmlinuz'), product('viverrd.zst')];
  const sqfs = await made(
    'serving.sqfs',
    { description: 'boot', files: [base.sqfs, ...boot] },
    async (target, work) => {
      const image = join(work, 'image');
      const directory = join(work, 'boot');
      await copyFile(base.sqfs, image);
      await mkdir(directory);
      for (const file of boot) await copyFile(file, join(directory, basename(file)));
      // Appended: /boot is new in it. Its files are compressed already.
      const options = ['-quiet', '-no-progress', '-all-root', '-all-time', '0', '-noD', '-keep-as-directory'];
      await run('mksquashfs', [directory, image, ...options]);
      await rename(image, target);
    },
  );
  return indexOf('serving', sqfs);
}

export interface Server {
  readonly name: string;
  /** Last byte of its card's address. */
  readonly number: number;
  readonly image: Image;
  readonly words?: readonly string[];
}

/** The server that gives addresses, or tells of boot files beside another, runs: from now on machines can boot. */
export const SERVES = 'until pgrep -f dnsmasq-dhcp.conf >/dev/null; do sleep 1; done';

/** The image has no udev that would load a network card's driver, so the initrd must. */
const WITH_NETWORK = 'viver.media=scsi,net';

/** A machine that has the image on a disk, and boots the others. */
export async function server({ name, number, image, words = [] }: Server): Promise<Scenario> {
  return {
    name,
    memoryMiB: 1024,
    kernel: viverKernel(WITH_NETWORK, ...words),
    disks: [{ name: 'image', bus: 'virtio', file: await imageDisk(image) }],
    nics: [{ name: 'net', model: 'virtio-net-pci', mac: mac(number), wire: 'lan' }],
    steps: [{ wait: rootReady({ image: image.name }), within: BOOT_SECONDS }, ...LOGIN],
  };
}

export interface PxeMachine {
  readonly name: string;
  readonly number: number;
  readonly image: Image;
  readonly firmware?: 'bios' | 'uefi';
  readonly model?: Nic['model'];
  /** See Nic. */
  readonly pxeBy?: 'rom' | 'firmware';
  readonly cpus?: number;
  /** More cards, beside the one it boots from. */
  readonly others?: readonly Nic[];
}

/** A machine without a disk that boots from its card. Its steps end at a shell. */
export function pxe(of: PxeMachine): Scenario {
  const { name, number, image, firmware = 'bios', model = 'e1000', pxeBy = 'rom', cpus = 1, others = [] } = of;
  const ready = rootReady({ image: `${image.name}@${image.id.slice(0, 12)}`, medium: 'net', device: '/dev/nbd0' });
  const steps: readonly Step[] = [{ wait: ready, within: BOOT_SECONDS }, ...LOGIN];
  return {
    name,
    firmware,
    cpus,
    memoryMiB: 1024,
    nics: [...others, { name: 'net', model, mac: mac(number), wire: 'lan', bootIndex: 1, pxe: pxeBy }],
    steps,
  };
}

export const mac = (number: number): string => `52:54:00:88:00:${number.toString(16).padStart(2, '0')}`;
