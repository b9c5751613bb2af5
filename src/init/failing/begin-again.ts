import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { MS, mount, readMounts } from '../../linux/mount.ts';
import { exec } from '../../linux/process.ts';
import { CARRIED } from '../../root/again.ts';
import { readProcesses } from '../../root/processes.ts';
import { planUnmounts } from '../../root/shutdown.ts';

/** What the kernel gives its first process (init/main.c). */
const ENVIRONMENT = { HOME: '/', TERM: 'linux' };
const WATCHDOGS = '/sys/class/watchdog';

/**
 * At the end of a shutdown, instead of the machine's reset: this process becomes /init again (root/again.ts). Only where
 * nothing is left of the system that ended: what is still mounted, or runs, would be in the way of the next.
 * @throws Error that says why the machine has to be reset
 */
export function beginAgain(): never {
  const left = [
    ...planUnmounts(readMounts()).map((target) => `${target} is still mounted`),
    ...readProcesses().flatMap(({ pid, name }) => (pid === process.pid ? [] : `${name} (${pid}) still runs`)),
    ...stopWatchdogs(),
  ];
  if (left.length > 0) throw new Error(left.join('; '));
  makeWritable();
  exec('/init', ['/init'], ENVIRONMENT);
}

/** systemd leaves the initramfs read-only. */
function makeWritable(): void {
  mount({ source: 'none', target: '/', flags: MS.REMOUNT });
}

/** The daemon below the root, which ends next, leaves what it has of the image in memory to the next system's. */
export function makeRoomForCarried(): void {
  makeWritable();
  rmSync(CARRIED, { recursive: true, force: true });
  mkdirSync(CARRIED, { mode: 0o700 });
}

/**
 * systemd has them reset a machine whose shutdown does not end (RebootWatchdogSec=); nobody would feed them any more.
 * @returns a line for each that goes on
 */
export function stopWatchdogs(directory = WATCHDOGS, devices = '/dev'): string[] {
  if (!existsSync(directory)) return [];
  const isActive = (name: string): boolean => {
    const state = `${directory}/${name}/state`;
    return !existsSync(state) || readFileSync(state, 'utf8').trim() !== 'inactive';
  };
  return readdirSync(directory).flatMap((name) => {
    if (!isActive(name)) return [];
    const file = openSync(`${devices}/${name}`, 'w');
    try {
      writeSync(file, 'V'); // Documentation/watchdog/watchdog-api.rst: closed after it, it stops, unless it cannot
    } finally {
      closeSync(file);
    }
    return isActive(name) ? [`${name} cannot be stopped`] : [];
  });
}
