import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** The words for kinds of media, as `viver.media=` and the summary line use them. */
export type Medium = 'nvme' | 'sata' | 'usb' | 'mmc' | 'cd' | 'ide' | 'scsi' | 'net';

/** A whole disk or a partition, as the kernel shows it in /sys/class/block. */
export interface BlockDevice {
  /** Kernel name: `sda1`, `nvme0n1`, `sr0`. */
  readonly name: string;
  /** Device node below /dev. */
  readonly path: string;
  /** The directory below /sys/devices. */
  readonly sysPath: string;
  readonly sizeBytes: number;
  /** Logical block size: 512, 2048 on a CD, 4096. Partition tables count in it. */
  readonly sectorBytes: number;
  readonly readOnly: boolean;
  /** Said of the whole disk, also in its partitions. */
  readonly removable: boolean;
  readonly medium: Medium;
  /** Name of the whole disk; of a whole disk its own name. */
  readonly disk: string;
  /** Number and start of a partition; undefined on a whole disk. */
  readonly partition?: { readonly number: number; readonly startBytes: number; readonly label?: string };
  /** Of the disk: grows with every disk or medium the kernel sees, so a changed CD is a new one (sysfs `diskseq`). */
  readonly sequence: number;
  readonly model?: string;
}

/** A block device that is not looked at, and why. */
export interface SkippedDevice {
  readonly name: string;
  readonly reason: string;
}

/** A drive or card slot that a medium can be put into. */
export interface Slot {
  readonly path: string;
  readonly isCd: boolean;
}

export interface BlockDevices {
  readonly devices: readonly BlockDevice[];
  readonly skipped: readonly SkippedDevice[];
  /** Drives whose medium can be changed, with and without one. */
  readonly slots: readonly Slot[];
}

/** What the scan needs of sysfs; absent files and directories give undefined or an empty list. */
export interface SysfsReader {
  list(path: string): readonly string[];
  text(path: string): string | undefined;
  /** The path with links resolved; undefined when it does not exist. */
  resolve(path: string): string | undefined;
}

export const sysfs: SysfsReader = {
  list: (path) => absentAs([], () => readdirSync(path)),
  text: (path) => absentAs(undefined, () => readFileSync(path, 'utf8').trim()),
  resolve: (path) => absentAs(undefined, () => realpathSync(path)),
};

/** A device may go while it is read: a read then fails by ENODEV or EINVAL and counts as absent, as ENOENT does. */
function absentAs<T>(absent: T, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return absent;
    throw error;
  }
}

const SECTOR_BYTES = 512; // sysfs counts in these whatever the device's own block size is

/** Kernel names that hold no medium of ours. */
const SKIPPED: readonly { readonly name: RegExp; readonly reason: string }[] = [
  { name: /^ram\d/, reason: 'RAM disk' },
  { name: /^zram\d/, reason: 'compressed RAM' },
  { name: /^loop\d/, reason: 'loop device' },
  { name: /^nbd\d/, reason: 'network block device' },
  { name: /^(rbd|drbd)\d/, reason: 'network block device' },
  { name: /^(dm-|md|bcache)\d/, reason: 'assembled from other devices' },
  { name: /^mtdblock\d/, reason: 'firmware flash' },
  { name: /^mmcblk\d+(boot|rpmb|gp)\d*/, reason: 'firmware part of a card' },
  { name: /^fd\d/, reason: 'floppy: smaller than any image' },
];

/** The medium by the path below /sys/devices; the first row that matches holds. */
const BUSES: readonly { readonly path: RegExp; readonly medium: Medium }[] = [
  { path: /\/block\/sr\d+$/, medium: 'cd' },
  { path: /\/nvme(-subsystem)?\//, medium: 'nvme' },
  { path: /\/mmc_host\//, medium: 'mmc' },
  { path: /\/usb\d+\//, medium: 'usb' },
  { path: /\/ide\d+\//, medium: 'ide' },
  { path: /\/ata\d+\//, medium: 'sata' },
];

/** PCI class of an IDE interface: parallel ATA, or SATA that the firmware shows as such. */
const PCI_CLASS_IDE = /^0x0101/;

/** Everything else (virtio, SAS, Xen, Hyper-V, FireWire, NVDIMM) counts as `scsi`. */
function mediumOf(diskPath: string, reader: SysfsReader): Medium {
  const medium = BUSES.find((bus) => bus.path.test(diskPath))?.medium ?? 'scsi';
  if (reader.text(join(diskPath, 'device/type')) === '5') return 'cd'; // SCSI peripheral type of CD and DVD drives
  if (medium !== 'sata') return medium;
  const controller = diskPath.replace(/\/ata\d+\/.*$/, '');
  return PCI_CLASS_IDE.test(reader.text(join(controller, 'class')) ?? '') ? 'ide' : 'sata';
}

function numberOf(text: string | undefined): number {
  const value = Number(text ?? '0');
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

function partitionLabel(uevent: string | undefined): { readonly label?: string } {
  const label = /^PARTNAME=(.+)$/m.exec(uevent ?? '')?.[1];
  return label === undefined ? {} : { label };
}

export interface ReadBlockDevicesOptions {
  readonly reader?: SysfsReader;
  /** Kernel names to take although they are of a kind that is skipped, such as `loop3`. */
  readonly also?: readonly string[];
}

/**
 * Every block device that may hold an image, disks before their partitions, in the kernel's order of names.
 * Reads sysfs only: no device is opened, so an empty or broken drive costs nothing.
 * @param sys where sysfs is mounted
 */
export function readBlockDevices(sys = '/sys', options: ReadBlockDevicesOptions = {}): BlockDevices {
  const reader = options.reader ?? sysfs;
  const devices: BlockDevice[] = [];
  const skipped: SkippedDevice[] = [];
  const slots: Slot[] = [];
  const names = [...reader.list(join(sys, 'class/block'))].sort(byName);
  for (const name of names) {
    const asked = options.also?.includes(name) === true;
    const reason = asked ? undefined : SKIPPED.find((row) => row.name.test(name))?.reason;
    if (reason !== undefined && !isVentoys(join(sys, 'class/block', name), reader)) {
      skipped.push({ name, reason });
      continue;
    }
    const sysPath = reader.resolve(join(sys, 'class/block', name));
    if (sysPath === undefined) continue; // gone since it was listed
    const sizeBytes = numberOf(reader.text(join(sysPath, 'size'))) * SECTOR_BYTES;
    if (reader.text(join(sysPath, 'removable')) === '1')
      slots.push({ path: pathOf(name), isCd: mediumOf(sysPath, reader) === 'cd' });
    if (reader.text(join(sysPath, 'hidden')) === '1') skipped.push({ name, reason: 'one path of a multipath disk' });
    else if (sizeBytes === 0) skipped.push({ name, reason: 'no medium in it' });
    else devices.push(readDevice(name, sysPath, sizeBytes, reader));
  }
  return { devices, skipped, slots };
}

const DEVICE_MAPPER = /\/dm-\d+$/;

const pathOf = (name: string) => `/dev/${name.replaceAll('!', '/')}`;

/** What Ventoy's own hooks make of an ISO file, by the device mapper: it stands for the disc. */
function isVentoys(classPath: string, reader: SysfsReader): boolean {
  const path = DEVICE_MAPPER.test(classPath) ? reader.resolve(classPath) : undefined;
  return path !== undefined && reader.text(join(path, 'dm/name')) === 'ventoy';
}

/** The disk that an assembled device lies on, as far as it is one. */
function diskBelow(sysPath: string, reader: SysfsReader): string {
  if (!DEVICE_MAPPER.test(sysPath)) return sysPath;
  const [below] = reader.list(join(sysPath, 'slaves'));
  const path = below === undefined ? undefined : reader.resolve(join(sysPath, 'slaves', below));
  if (path === undefined) return sysPath;
  return reader.text(join(path, 'partition')) === undefined ? path : join(path, '..');
}

function readDevice(name: string, sysPath: string, sizeBytes: number, reader: SysfsReader): BlockDevice {
  const partitionNumber = reader.text(join(sysPath, 'partition'));
  const diskPath = partitionNumber === undefined ? sysPath : join(sysPath, '..');
  const hardwarePath = diskBelow(diskPath, reader);
  const model = reader.text(join(hardwarePath, 'device/model'));
  return {
    name,
    path: pathOf(name),
    sysPath,
    sizeBytes,
    sectorBytes: numberOf(reader.text(join(diskPath, 'queue/logical_block_size'))) || SECTOR_BYTES,
    readOnly: reader.text(join(sysPath, 'ro')) === '1',
    removable: reader.text(join(diskPath, 'removable')) === '1',
    medium: mediumOf(hardwarePath, reader),
    disk: diskPath.slice(diskPath.lastIndexOf('/') + 1),
    sequence: numberOf(reader.text(join(diskPath, 'diskseq'))),
    ...(partitionNumber === undefined
      ? {}
      : {
          partition: {
            number: numberOf(partitionNumber),
            startBytes: numberOf(reader.text(join(sysPath, 'start'))) * SECTOR_BYTES,
            ...partitionLabel(reader.text(join(sysPath, 'uevent'))),
          },
        }),
    ...(model === undefined || model === '' ? {} : { model }),
  };
}

const withLongNumbers = (name: string) => name.replace(/\d+/g, (digits) => digits.padStart(8, '0'));

/** sda before sda1, sda2 before sda10. Not by Intl, which takes a tenth of a second to start on a slow machine. */
function byName(left: string, right: string): number {
  const [a, b] = [withLongNumbers(left), withLongNumbers(right)];
  return a < b ? -1 : Number(a > b);
}
