import { existsSync, readFileSync } from 'node:fs';
import type { BlockDevice } from '../../media/block-devices.ts';
import { fits } from '../../media/find-device.ts';
import type { NamedIso } from '../../media/look.ts';
import type { MediaAccess } from '../../media/media-access.ts';
import { decodeVentoyParameters, type VentoyIso } from '../../media/ventoy.ts';
import type { BootOptions } from '../command-line.ts';

/**
 * Where Ventoy leaves word of what it starts: in the archive that it adds to the initramfs. Its UEFI variable says the
 * same, and to read that would cost each UEFI machine the listing of all its variables.
 */
const VENTOY = '/ventoy/ventoy_os_param';
const VENTOY_DISK_ID = { offset: 0x180, length: 16 };

/** The ISO file this machine was started from, as far as the boot loader says so. */
export interface Named {
  readonly iso: NamedIso;
  /** Who says so, for messages: `iso-scan/filename=/x.iso`. */
  readonly by: string;
}

/** @param devices gives what is there when it is asked */
export function namedIso(
  { iso }: BootOptions,
  devices: () => readonly BlockDevice[],
  access: Pick<MediaAccess, 'open'>,
): Named | undefined {
  if (iso !== undefined) {
    const { path, device, by } = iso;
    if (device === undefined) return { iso: { path }, by };
    return { iso: { path, isOn: (on) => fits(device, on, devices(), access).catch(() => false) }, by };
  }
  const ventoy = existsSync(VENTOY) ? decodeVentoyParameters(readFileSync(VENTOY)) : undefined;
  if (ventoy === undefined) return undefined;
  const isOn = (on: BlockDevice) => isVentoys(on, ventoy, devices(), access).catch(() => false);
  return { iso: { path: ventoy.path, isOn }, by: `Ventoy started ${ventoy.path}` };
}

async function isVentoys(
  { disk, partition }: BlockDevice,
  ventoy: VentoyIso,
  devices: readonly BlockDevice[],
  access: Pick<MediaAccess, 'open'>,
): Promise<boolean> {
  const whole = devices.find(({ name }) => name === disk);
  if (whole === undefined || partition?.number !== ventoy.partition) return false;
  await using file = await access.open(whole.path);
  return Buffer.from(await file.read(VENTOY_DISK_ID)).toString('hex') === ventoy.disk;
}
