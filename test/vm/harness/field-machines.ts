import { viverKernel } from './direct.ts';
import { type Image, imageDisk } from './images.ts';
import { LOGIN, rootReady } from './login.ts';
import type { Disk, Scenario, Step } from './scenario.ts';

/** A machine on the wire `lan`. */
export interface FieldMachine {
  readonly name: string;
  /** Last byte of its address, 10.77.0.N, and of its card's. */
  readonly number: number;
  readonly image: Image;
  readonly words?: readonly string[];
  /** Of a holder's disk, virtio by default. */
  readonly bus?: 'virtio' | 'usb';
  /** From its login on. */
  readonly steps: readonly Step[];
}

/** Seconds; several machines share the host. */
const BOOT = 300;

function machine({ name, number, words = [], steps }: FieldMachine, disks: readonly Disk[]): Scenario {
  return {
    name,
    memoryMiB: 1024,
    kernel: viverKernel(...words),
    nics: [{ name: 'net', model: 'virtio-net-pci', mac: `52:54:00:77:00:${hex(number)}`, wire: 'lan' }],
    disks,
    steps,
  };
}

const hex = (number: number): string => number.toString(16).padStart(2, '0');

/** The address of a machine that has its own and asks nobody. */
export const staticAddress = (number: number): string => `viver.ip=10.77.0.${number}/24`;

/** A machine that has the image on a disk, and gives it to the field. */
export async function holder(of: FieldMachine): Promise<Scenario> {
  const { image, number, words = [], bus = 'virtio' } = of;
  const steps: readonly Step[] = [
    { wait: rootReady({ image: image.name, medium: bus === 'usb' ? 'usb' : 'scsi' }), within: BOOT },
    ...LOGIN,
    { run: 'until dmesg | grep -q "viver field: ready"; do sleep 1; done', within: 60 },
    ...of.steps,
  ];
  const disks = [{ name: 'image', bus, file: await imageDisk(image) }];
  return machine({ ...of, words: [staticAddress(number), ...words], steps }, disks);
}

export const pinned = ({ name, id }: Image): string => `viver.image=${name}@sha256:${id}`;

/** A machine without any disk: its root comes from the field. */
export function diskless(of: FieldMachine): Scenario {
  const { image, words = [] } = of;
  const ready = rootReady({ image: `${image.name}@${image.id.slice(0, 12)}`, medium: 'net', device: '/dev/nbd0' });
  const steps: readonly Step[] = [{ wait: ready, within: BOOT }, ...LOGIN, ...of.steps];
  return machine({ ...of, words: ['viver.media=net', ...words], steps }, []);
}

/** A command that reads a file of the image through its device, not from what the kernel remembers. */
export const readAnew = (file: string): string => `echo 3 > /proc/sys/vm/drop_caches; sha256sum ${file}`;
