import { realpathSync } from 'node:fs';
import { readBlockDevices } from '../../media/block-devices.ts';
import { type DeviceName, findDevice, parseDeviceName } from '../../media/find-device.ts';
import type { CowDevice } from '../../root/cow.ts';
import { uptimeMs } from '../boot-log.ts';
import type { Drivers } from '../drivers/drivers.ts';
import { BootFailure } from '../failing/failure.ts';

/** A disk that is named is waited for this long: it may spin up. */
const WAIT_MS = 10_000;
const POLL_MS = 100;
/**
 * All disks are asked anew when one came or went, and after this, and twice as long each time: one may be slow to be
 * readable, and one that fails costs time and lines of the kernel's each time.
 */
const ASK_AGAIN_MS = 1000;
const DEVICE_TIMEOUT_MS = 5000;

/**
 * The device that `viver.cow=` names by path, LABEL=, UUID=, PARTLABEL= or PARTUUID=.
 * @throws BootFailure when it does not appear; never falls back to RAM, for a person relies on what is written
 */
export function findCowDevice(wanted: string, drivers: Drivers, waitMs = WAIT_MS): Promise<CowDevice> {
  return findNamedDevice('viver.cow', wanted, drivers, waitMs, ['viver.cow=ram keeps what is written in RAM']);
}

/**
 * The device that a word of the command line names by path, LABEL=, UUID=, PARTLABEL= or PARTUUID=.
 * @throws BootFailure when it does not appear
 */
export async function findNamedDevice(
  word: string,
  wanted: string,
  drivers: Drivers,
  waitMs: number,
  tryThis: readonly string[],
): Promise<CowDevice> {
  const name = parseDeviceName(wanted);
  const untilMs = uptimeMs() + waitMs;
  let asked = '';
  let askedMs = 0;
  let againMs = ASK_AGAIN_MS;
  for (;;) {
    // nothing is written to a CD, and a drive without a disc is not read
    const devices = readBlockDevices().devices.filter(({ medium }) => medium !== 'cd');
    const present = devices.map((device) => `${device.name} ${device.sequence}`).join(', ');
    if (present !== asked || uptimeMs() - askedMs >= againMs) {
      const options = { access: drivers.mediaAccess, deviceTimeoutMs: DEVICE_TIMEOUT_MS };
      const found = await findDevice(followed(name), devices, options);
      if (found !== undefined) return { path: found.device.path, type: found.content?.type };
      againMs = present === asked ? 2 * againMs : ASK_AGAIN_MS;
      asked = present;
      askedMs = uptimeMs();
    }
    if (uptimeMs() >= untilMs) {
      const names = devices.map((device) => device.path).join(' ') || 'none';
      throw new BootFailure(`${word}=${wanted}: no such device after ${Math.round(waitMs / 1000)} s`, {
        saw: [`block devices: ${names}`],
        tryThis: ['plug the disk in and type exit', ...tryThis],
      });
    }
    // It may hang on what was left when the image was found.
    drivers.leaveRest(false);
    await drivers.changed(POLL_MS);
  }
}

/** The path may be a link, such as a name a person gave in the initrd. */
function followed(name: DeviceName): DeviceName {
  if (name.by !== 'path') return name;
  try {
    return { by: 'path', value: realpathSync(name.value) };
  } catch {
    return name; // not there (yet)
  }
}
