/**
 * The image through the field's device: the daemon reads the medium and checks each chunk as it is read. A medium that
 * was checked from end to end could still answer otherwise when it is read again, and then by its own doing: whoever
 * made it has that in his hand. So what was checked is read there, or in RAM, and nowhere else.
 */
import { existsSync } from 'node:fs';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import type { ImageCandidate } from '../../media/candidate.ts';
import type { BootLog } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';
import type { Drivers } from '../drivers/drivers.ts';
import { FIELD_DEVICE, FIELD_SYSFS, type FieldDaemon, localDaemon, startFieldDaemon } from '../source/field-daemon.ts';
import { openField, waitOf } from '../source/join-field.ts';
import { keepIndex } from './kept-index.ts';

export interface CheckedDevice {
  readonly path: string;
  readonly daemon: FieldDaemon;
}

/** Whether this kernel can have such a device: it has the nbd driver. */
export async function hasCheckingDevice(drivers: Drivers): Promise<boolean> {
  await drivers.ensureModules(['nbd']);
  return existsSync(FIELD_SYSFS);
}

/**
 * Starts the daemon on the medium and waits for its device.
 * @param index the one that counts, genuine; the daemon takes no other
 * @throws BootFailure when the device does not come
 */
export async function openCheckingDevice(
  candidate: ImageCandidate,
  index: ChunkIndex,
  options: BootOptions,
  drivers: Drivers,
  log: BootLog,
): Promise<CheckedDevice> {
  const name = candidate.name || 'image';
  const indexPath = candidate.indexPath === undefined ? await keepIndex(index) : undefined;
  const daemon = startFieldDaemon(
    localDaemon({ name, id: index.id, path: candidate.path, indexPath }, options, true),
    'now',
  );
  await openField(daemon, drivers, waitOf(options), log);
  return { path: FIELD_DEVICE, daemon };
}
