import type { BlockDevice } from './block-devices.ts';
import { DETECTION_BYTES, decodeFileSystem, type FileSystem, type UnusableContent } from './file-system.ts';
import { type MediaAccess, readOnlyAccess } from './media-access.ts';

import { decodePartitionId, PARTITION_TABLE_BYTES } from './partition-id.ts';

/** A device that a person named, as `viver.cow=` does. */
export type DeviceName =
  | { readonly by: 'path'; readonly value: string }
  | { readonly by: 'LABEL' | 'UUID' | 'PARTUUID' | 'PARTLABEL'; readonly value: string };

/**
 * Parses `/dev/sda2`, `sda2`, `LABEL=…`, `UUID=…`, `PARTUUID=…` or `PARTLABEL=…`.
 * @throws Error for anything else
 */
export function parseDeviceName(text: string): DeviceName {
  const tag = /^(LABEL|UUID|PARTUUID|PARTLABEL)=(.+)$/.exec(text);
  const [, by, value] = tag ?? [];
  if ((by === 'LABEL' || by === 'UUID' || by === 'PARTUUID' || by === 'PARTLABEL') && value !== undefined) {
    return { by, value };
  }
  if (/^(\/dev\/)?[^/=\s][^=\s]*$/.test(text)) return { by: 'path', value: text.replace(/^(\/dev\/)?/, '/dev/') };
  throw new Error(`${text} names no device: /dev/NAME, LABEL=…, UUID=…, PARTUUID=… or PARTLABEL=… do`);
}

type StartReader = Pick<MediaAccess, 'readStart'>;

export interface NamedDevice {
  readonly device: BlockDevice;
  readonly content: FileSystem | UnusableContent | undefined;
}

/**
 * The device of that name among those given, and what is on it. Every device is asked within its own time, so one that
 * hangs or fails hides no other.
 * @returns undefined when it is not there (yet)
 * @throws Error when the name fits several devices, which are named: none of them is guessed
 */
export async function findDevice(
  name: DeviceName,
  devices: readonly BlockDevice[],
  { access = readOnlyAccess, deviceTimeoutMs = 15_000 }: { access?: StartReader; deviceTimeoutMs?: number } = {},
): Promise<NamedDevice | undefined> {
  const asked = await Promise.all(
    devices.map((device) =>
      withinTime(fits(name, device, devices, access), deviceTimeoutMs).then((yes) => ({ device, yes })),
    ),
  );
  // a whole disk and its first partition may show the same file system; the partition is the one that can be shared
  const fitting = asked.filter(({ yes }) => yes).map(({ device }) => device);
  const found = fitting.filter((device) => !fitting.some((other) => other.disk === device.name && other !== device));
  const [device, ...others] = found;
  if (device === undefined) return undefined;
  if (others.length > 0) {
    const paths = found.map(({ path }) => path).join(', ');
    throw new Error(`${name.by}=${name.value} fits several devices: ${paths}; name one by its UUID or path`);
  }
  return { device, content: await contentOf(device, access) };
}

async function withinTime(answer: Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), timeoutMs);
  try {
    return await Promise.race([answer, late.promise]);
  } catch {
    return false; // a disk that cannot be read has no name that could fit
  } finally {
    clearTimeout(timer);
  }
}

async function contentOf(device: BlockDevice, access: StartReader) {
  const { bytes } = await access.readStart(device.path, DETECTION_BYTES);
  return decodeFileSystem(bytes);
}

async function fits(
  name: DeviceName,
  device: BlockDevice,
  all: readonly BlockDevice[],
  access: StartReader,
): Promise<boolean> {
  if (name.by === 'path') return device.path === name.value;
  if (name.by === 'PARTLABEL') return device.partition?.label === name.value;
  const same = (value: string | undefined) => value?.toLowerCase() === name.value.toLowerCase();
  if (name.by === 'PARTUUID') {
    const disk = all.find((other) => other.name === device.disk);
    if (device.partition === undefined || disk === undefined) return false;
    const { bytes } = await access.readStart(disk.path, PARTITION_TABLE_BYTES);
    return same(decodePartitionId(bytes, device.partition.number));
  }
  const content = await contentOf(device, access);
  if (content?.usable !== true) return false;
  return name.by === 'UUID' ? same(content.uuid) : content.label === name.value;
}
