import type { BlockDevice } from './block-devices.ts';
import { partitionId } from './content/partition-id.ts';
import { runProbe } from './content/probe.ts';
import { volumeLabel } from './content/volume-label.ts';
import type { FileSystem, UnusableContent } from './file-system.ts';
import { geometryOf, probeDevice } from './look.ts';
import { type MediaAccess, readOnlyAccess } from './media-access.ts';

/** A device that a person named, as `viver.cow=` does. */
export type DeviceName =
  | { readonly by: 'path'; readonly value: string }
  | { readonly by: 'LABEL' | 'UUID' | 'PARTUUID' | 'PARTLABEL'; readonly value: string };

/** udev's links, which no initramfs of ours has. */
const LINKS = { label: 'LABEL', uuid: 'UUID', partuuid: 'PARTUUID', partlabel: 'PARTLABEL' } as const;

/** udev writes what is no letter of a name as \x and two digits. */
const unescaped = (text: string): string =>
  text.replace(/(\\x[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('\\x', ''), 'hex').toString('utf8'));

/**
 * Parses `/dev/sda2`, `sda2`, `/dev/disk/by-label/…` and its like, `LABEL=…`, `UUID=…`, `PARTUUID=…` or `PARTLABEL=…`.
 * @throws Error for anything else
 */
export function parseDeviceName(text: string): DeviceName {
  const link = /^\/dev\/disk\/by-(label|uuid|partuuid|partlabel)\/([^/]+)$/.exec(text);
  if (link?.[1] !== undefined && link[2] !== undefined)
    return { by: LINKS[link[1] as keyof typeof LINKS], value: unescaped(link[2]) };
  const tag = /^(LABEL|UUID|PARTUUID|PARTLABEL)=(.+)$/.exec(text);
  const [, by, value] = tag ?? [];
  if ((by === 'LABEL' || by === 'UUID' || by === 'PARTUUID' || by === 'PARTLABEL') && value !== undefined) {
    return { by, value };
  }
  if (/^(\/dev\/)?[^/=\s][^=\s]*$/.test(text)) return { by: 'path', value: text.replace(/^(\/dev\/)?/, '/dev/') };
  throw new Error(`${text} names no device: /dev/NAME, LABEL=…, UUID=…, PARTUUID=… or PARTLABEL=… do`);
}

type Opener = Pick<MediaAccess, 'open'>;

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
  { access = readOnlyAccess, deviceTimeoutMs = 15_000 }: { access?: Opener; deviceTimeoutMs?: number } = {},
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
  return { device, content: (await probeDevice(device, partitionsOf(device, devices), access)).content };
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

const partitionsOf = (disk: BlockDevice, all: readonly BlockDevice[]): readonly BlockDevice[] =>
  disk.partition === undefined ? all.filter((other) => other.disk === disk.name && other.partition !== undefined) : [];

/**
 * Whether the name is this device's.
 * @throws Error when the device cannot be read
 */
export async function fits(
  name: DeviceName,
  device: BlockDevice,
  all: readonly BlockDevice[],
  access: Opener,
): Promise<boolean> {
  if (name.by === 'path') return device.path === name.value;
  if (name.by === 'PARTLABEL') return device.partition?.label === name.value;
  const same = (value: string | undefined) => value?.toLowerCase() === name.value.toLowerCase();
  if (name.by === 'PARTUUID') {
    const disk = all.find((other) => other.name === device.disk);
    if (device.partition === undefined || disk === undefined) return false;
    await using file = await access.open(disk.path);
    const geometry = geometryOf(disk, partitionsOf(disk, all));
    return same(await runProbe(partitionId(geometry, device.partition.number), (span) => file.read(span)));
  }
  const { content, start } = await probeDevice(device, partitionsOf(device, all), access);
  if (content?.usable !== true) return false;
  if (name.by === 'UUID') return same(content.uuid);
  await using file = await access.open(device.path);
  return (await runProbe(volumeLabel(start), (span) => file.read(span))) === name.value;
}
