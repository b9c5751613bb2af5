import { realpathSync } from 'node:fs';
import { type BlockDevice, readBlockDevices } from '../media/block-devices.ts';
import { DETECTION_BYTES, decodeFileSystem } from '../media/file-system.ts';
import type { MediaAccess } from '../media/media-access.ts';
import type { CowDevice } from '../root/cow.ts';
import { uptimeMs } from './boot-log.ts';
import type { Drivers } from './drivers.ts';
import { BootFailure } from './failure.ts';

/** A disk that is named is waited for this long: it may spin up. */
const WAIT_MS = 10_000;
const POLL_MS = 100;

/**
 * The device that `viver.cow=` names by path, LABEL=, UUID=, PARTLABEL=.
 * @throws BootFailure when it does not appear; never falls back to RAM, for a person relies on what is written
 */
export async function findCowDevice(wanted: string, drivers: Drivers, waitMs = WAIT_MS): Promise<CowDevice> {
  const untilMs = uptimeMs() + waitMs;
  for (;;) {
    const { devices } = readBlockDevices();
    for (const device of devices) {
      const found = await match(wanted, device, drivers.mediaAccess);
      if (found !== undefined) return found;
    }
    if (uptimeMs() >= untilMs) {
      const names = devices.map((device) => device.path).join(' ') || 'none';
      throw new BootFailure(`viver.cow=${wanted}: no such device after ${Math.round(waitMs / 1000)} s`, {
        saw: [`block devices: ${names}`],
        tryThis: ['plug the disk in and type exit', 'viver.cow=ram keeps what is written in RAM'],
      });
    }
    await drivers.changed(POLL_MS);
  }
}

async function match(wanted: string, device: BlockDevice, access: MediaAccess): Promise<CowDevice | undefined> {
  const [key = '', value = ''] = wanted.startsWith('/') ? ['path', wanted] : wanted.split(/=(.*)/s);
  if (key === 'path' && !samePath(device.path, value)) return undefined;
  if (key === 'PARTLABEL' && device.partition?.label !== value) return undefined;
  let content: ReturnType<typeof decodeFileSystem>;
  try {
    content = decodeFileSystem((await access.readStart(device.path, DETECTION_BYTES)).bytes);
  } catch (cause) {
    if (key === 'path' || key === 'PARTLABEL') throw new Error(`viver.cow: ${device.path} cannot be read`, { cause });
    return undefined; // another disk that fails: the search for media names it
  }
  if (key === 'LABEL' && !(content?.usable === true && content.label === value)) return undefined;
  if (key === 'UUID' && !(content?.usable === true && content.uuid?.toLowerCase() === value.toLowerCase()))
    return undefined;
  return { path: device.path, type: content?.type };
}

/** The path may be a link, such as a name a person gave in the initrd. */
function samePath(device: string, asked: string): boolean {
  if (device === asked) return true;
  try {
    return realpathSync(asked) === device;
  } catch {
    return false; // not there (yet)
  }
}
