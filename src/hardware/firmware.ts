import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../linux/errno.ts';
import { readModule } from '../linux/module.ts';
import type { DeviceClass } from './device-class.ts';
import { modinfoValues } from './modinfo.ts';
import type { ModuleIndex } from './module-index.ts';
import type { PlannedWant, Verdict } from './plan.ts';

/** Beside depmod's tables in the initrd: `MODULE: FILE FILE…` for each module that names firmware. */
export const FIRMWARE_TABLE = 'modules.firmware';

/** Which firmware files a module names, relative to /lib/firmware. */
export type NamedFirmware = (module: string) => readonly string[];
/** Whether such a file is there. */
export type HasFirmware = (file: string) => boolean;

export function parseFirmwareTable(text: string): ReadonlyMap<string, readonly string[]> {
  const rows = text.split('\n').flatMap((line) => {
    const [, module, files] = /^(\w+): (.+)$/.exec(line) ?? [];
    return module === undefined || files === undefined ? [] : [[module, files.split(' ')] as const];
  });
  return new Map(rows);
}

/** A module that devices have for their driver. */
export interface ChosenModule {
  readonly name: string;
  /** Devices that asked for it. */
  readonly wantedBy: readonly string[];
}

export function chosenModules(wants: readonly PlannedWant[], verdicts: readonly Verdict[]): ChosenModule[] {
  const chosen = new Map<string, string[]>();
  for (const { want, device, choices } of wants) {
    if (device === undefined) continue;
    for (const { module, verdict } of choices) {
      if (verdicts.includes(verdict)) chosen.set(module, [...(chosen.get(module) ?? []), want]);
    }
  }
  return [...chosen].map(([name, wantedBy]) => ({ name, wantedBy }));
}

/** From the initrd's table; without one from the modules' files, which takes longer. */
export function readNamedFirmware(index: ModuleIndex, modules: readonly ChosenModule[]): NamedFirmware {
  let table: ReadonlyMap<string, readonly string[]>;
  try {
    table = parseFirmwareTable(readFileSync(join(index.directory, FIRMWARE_TABLE), 'latin1'));
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    table = new Map(modules.map(({ name }) => [name, firmwareOfFile(index.file(name)?.path ?? '')]));
  }
  return (module) => table.get(module) ?? [];
}

/** What a module file names. One that is not there or cannot be read names nothing: loading it says what is wrong. */
export function firmwareOfFile(path: string): string[] {
  try {
    return modinfoValues(readModule(path), 'firmware');
  } catch {
    return [];
  }
}

/** Where the kernel looks (drivers/base/firmware_loader/main.c), and what it decompresses. */
const PLACES = ['updates', ''];
const SUFFIXES = ['', '.xz', '.zst'];

/**
 * Whether a root has a firmware file. One that is named by a pattern counts as there: nobody can tell which is meant.
 * @param at gives a path below that root as it is from here; undefined: there is no such thing
 */
export function firmwareBelow(at: (path: string) => string | undefined, kernel: string): HasFirmware {
  const places = PLACES.flatMap((place) => [`/lib/firmware/${place}/${kernel}`, `/lib/firmware/${place}`]);
  return (file) =>
    /[*?[]/.test(file) ||
    places.some((place) =>
      SUFFIXES.some((suffix) => {
        const path = at(join(place, file + suffix));
        return path !== undefined && existsSync(path);
      }),
    );
}

/** A chosen driver whose firmware is not whole. */
export interface FirmwareLack {
  readonly module: string;
  /** Devices that asked for the module. */
  readonly wantedBy: readonly string[];
  readonly named: number;
  readonly missing: readonly string[];
}

/** Which modules of these name firmware that nobody has. Pure. */
export function lackingFirmware(
  modules: readonly ChosenModule[],
  named: NamedFirmware,
  has: HasFirmware,
): FirmwareLack[] {
  return modules.flatMap(({ name, wantedBy }) => {
    const files = named(name);
    const missing = files.filter((file) => !has(file));
    return missing.length === 0 ? [] : [{ module: name, wantedBy, named: files.length, missing }];
  });
}

/** So many names a person reads; drivers of whole families name fifty. */
const NAMES_SHOWN = 3;

/** `bnx2: none of its 5 firmware files is here: bnx2/a.fw, bnx2/b.fw, bnx2/c.fw …`. */
export function describeLack({ module, named, missing }: FirmwareLack): string {
  const shown = missing.slice(0, NAMES_SHOWN).join(', ') + (missing.length > NAMES_SHOWN ? ' …' : '');
  const how =
    missing.length < named
      ? `${missing.length} of its ${named} firmware files are not here`
      : named === 1
        ? 'its firmware is not here'
        : `none of its ${named} firmware files is here`;
  return `${module}: ${how}: ${shown}`;
}

/** What a boot may need: without its driver there is no medium, or no network. */
const NEEDED: readonly DeviceClass[] = ['disk', 'usb', 'card', 'bus', 'storage', 'network'];

/**
 * Devices that the boot may need and that have no driver, because it lacks firmware: a line for each.
 * @param isDriven whether a device, by its path, has a driver at work
 */
export function undrivenForFirmware(
  wants: readonly PlannedWant[],
  lacks: readonly FirmwareLack[],
  isDriven: (device: string) => boolean,
): string[] {
  return wants.flatMap(({ want, what, class: of, device, choices }) => {
    if (device === undefined || !NEEDED.some((needed) => needed === of) || isDriven(want)) return [];
    const mine = lacks.filter(({ module }) => choices.some((choice) => choice.module === module));
    return mine.map((lack) => `${device.name} (${what}) is not driven: ${describeLack(lack)}`);
  });
}
