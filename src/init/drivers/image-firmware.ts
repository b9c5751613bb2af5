import { join } from 'node:path';
import { type FirmwareLack, firmwareBelow, type HasFirmware } from '../../hardware/firmware.ts';
import { describeError } from '../../linux/describe-error.ts';
import { deleteModule } from '../../linux/module.ts';
import { resolveBelow } from '../../root/resolve-below.ts';
import { rootReader } from '../../root/root-reader.ts';

/** A driver's firmware that the initrd lacks, and what of it the image has. */
export interface FirmwareFit extends FirmwareLack {
  readonly inImage: readonly string[];
}

/** What the image below `root` has of what is missing. */
export function firmwareInImage(lacks: readonly FirmwareLack[], has: HasFirmware): FirmwareFit[] {
  return lacks.map((lack) => ({ ...lack, inImage: lack.missing.filter(has) }));
}

export function imageFirmware(root: string, kernel: string): HasFirmware {
  return firmwareBelow((path) => {
    const found = resolveBelow(root, path, rootReader);
    return found === undefined ? undefined : join(root, found);
  }, kernel);
}

/** What leaving a driver to the image needs of the machine; a test gives its own. */
export interface DriverControl {
  isDriven(device: string): boolean;
  unload(module: string): void;
}

/**
 * A driver that could do nothing without its firmware has given its devices up, and would never look at them again. It is
 * taken out of the kernel where the image has the firmware: the image's udev loads it anew, and it finds what it needs.
 * @returns a line for each such driver: module and what became of it
 */
export function leaveToImage(fits: readonly FirmwareFit[], control: DriverControl): (readonly [string, string])[] {
  return fits
    .filter(({ inImage, wantedBy }) => inImage.length > 0 && !wantedBy.every((device) => control.isDriven(device)))
    .map(({ module, inImage, wantedBy }) => {
      const why = `the image has its firmware (${inImage[0]})`;
      // It drives another device well: nothing is taken away from that.
      if (wantedBy.some((device) => control.isDriven(device))) return [module, `stays, and drives some only; ${why}`];
      try {
        control.unload(module);
        return [module, `left to the image: ${why}`];
      } catch (error) {
        return [module, `stays in the kernel (${describeError(error)}), though ${why}`];
      }
    });
}

export const unload = deleteModule;
