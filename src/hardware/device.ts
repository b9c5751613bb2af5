import type { SysTree } from './sys-tree.ts';

/** A device the kernel knows. */
export interface Device {
  /** Directory below /sys/devices, as a path from /sys on: `/devices/pci0000:00/0000:00:01.1`. */
  readonly path: string;
  /** `pci`, `usb`, `scsi`, …; the class for what is on no bus (`dmi`). */
  readonly bus: string;
  readonly name: string;
  /** Mostly one; ACPI devices may have one of ACPI and one of the device tree. */
  readonly modaliases: readonly string[];
  /** The driver bound to it. */
  readonly driver?: string;
}

/** Buses whose devices no module drives, many of them on a large machine. */
const SKIPPED_BUSES: ReadonlyMap<string, string> = new Map([
  ['clockevents', 'timers of the kernel itself'],
  ['clocksource', 'timers of the kernel itself'],
  ['container', 'groups of devices'],
  ['cpu', 'one modalias for all of them, read below /sys/devices/system/cpu'],
  ['event_source', 'performance counters'],
  ['memory', 'one device for each 128 MiB'],
  ['node', 'memory nodes'],
  ['workqueue', 'queues of the kernel itself'],
]);

/** In place of a bus: the devices with a modalias that no bus lists. */
export const BUSLESS = '';
const ON_NO_BUS: readonly { readonly path: string; readonly bus: string }[] = [
  { path: '/devices/system/cpu', bus: 'cpu' },
  { path: '/devices/virtual/dmi/id', bus: 'dmi' },
];

/** `KEY=value` lines of a device's `uevent` file; a key may come more than once. */
export function parseUeventFile(text: string): { readonly driver?: string; readonly modaliases: readonly string[] } {
  const modaliases: string[] = [];
  let driver: string | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('MODALIAS=')) modaliases.push(line.slice('MODALIAS='.length));
    else if (line.startsWith('DRIVER=')) driver = line.slice('DRIVER='.length);
  }
  return driver === undefined ? { modaliases } : { driver, modaliases };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * One device. undefined: it has gone.
 * @param path as in a uevent's DEVPATH: `/devices/…`
 */
export function readDevice(tree: SysTree, path: string, bus: string): Device | undefined {
  const uevent = tree.read(`/sys${path}/uevent`);
  if (uevent === undefined) return undefined;
  return { path, bus, name: nameOf(path), ...parseUeventFile(uevent) };
}

/** The buses whose devices may want a module. */
export function listBuses(tree: SysTree): readonly string[] {
  return tree.list('/sys/bus').filter((bus) => !SKIPPED_BUSES.has(bus));
}

/**
 * Every device on a bus (or on none, BUSLESS), with or without a modalias, parents not before their children. Two
 * directory entries and one file are read for each: the `uevent` file has driver and modalias together.
 */
export function readDevices(tree: SysTree, bus: string): Device[] {
  if (bus === BUSLESS) {
    return ON_NO_BUS.flatMap(({ path, bus: kind }) => {
      const modalias = tree.read(`/sys${path}/modalias`);
      return modalias === undefined ? [] : [{ path, bus: kind, name: nameOf(path), modaliases: [modalias] }];
    });
  }
  return tree.list(`/sys/bus/${bus}/devices`).flatMap((name) => {
    const path = tree.link(`/sys/bus/${bus}/devices/${name}`)?.replace(/^\/sys/, '');
    return path === undefined ? [] : (readDevice(tree, path, bus) ?? []);
  });
}

/** Every device there is. */
export function readAllDevices(tree: SysTree): Device[] {
  return [...listBuses(tree), BUSLESS].flatMap((bus) => readDevices(tree, bus));
}
