import { readdirSync, readFileSync } from 'node:fs';
import { describeError } from '../linux/describe-error.ts';
import { hasCode } from '../linux/errno.ts';
import { hardwareMark } from '../root/installed/machine-id.ts';
import { readHardwareMarks } from '../runes/hardware-marks.ts';
import { readMachine } from '../runes/machine.ts';
import type { BootLog } from './boot-log.ts';
import type { Drivers } from './drivers/drivers.ts';

/** For drivers to start and a card to show its address; nearly every machine has a UUID and waits for none. */
const CARD_MS = 10_000;
const PCI = '/sys/bus/pci/devices';

/** Base class 02h of the PCI Code and ID Assignment Specification. */
function hasNetworkCard(): boolean {
  try {
    return readdirSync(PCI).some((name) => readFileSync(`${PCI}/${name}/class`, 'latin1').startsWith('0x02'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false; // no PCI, or a card was just taken away
    throw error;
  }
}

/**
 * A machine whose firmware does not tell it from others is known by its network cards, whose drivers are otherwise left to
 * the image when it boots from a medium: without them it would be another machine at each boot.
 */
export async function knowMachine(drivers: Drivers, log: BootLog): Promise<void> {
  const isKnown = () => hardwareMark(readHardwareMarks(readMachine())) !== undefined;
  if (isKnown() || !hasNetworkCard()) return;
  log.choose('network cards', 'the firmware has no UUID for this machine: it is known by the address of a card');
  try {
    if (await drivers.driveCards(isKnown, CARD_MS)) return;
    log.warn('no network card has shown its address: this boot has a machine id by chance');
  } catch (error) {
    log.warn(`network cards: ${describeError(error)}`);
  }
}
