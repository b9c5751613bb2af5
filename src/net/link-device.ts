import { readlinkSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { hasCode } from '../linux/errno.ts';

/** The hardware behind a link. */
export interface LinkDevice {
  /** `/sys/devices/pci0000:00/0000:00:03.0` */
  readonly path: string;
  /** `e1000e` */
  readonly driver: string | undefined;
}

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Undefined for a link that is no hardware, or is gone. */
export function readLinkDevice(name: string, sys = '/sys'): LinkDevice | undefined {
  const path = unlessMissing(() => realpathSync(join(sys, 'class/net', name, 'device')));
  if (path === undefined) return undefined;
  const driver = unlessMissing(() => readlinkSync(join(path, 'driver')));
  return { path, driver: driver === undefined ? undefined : basename(driver) };
}
