import { closeSync, constants, openSync, readSync } from 'node:fs';
import { hasCode } from '../linux/errno.ts';
import { sysrq } from '../linux/reboot.ts';

/** What the kernel says at the end of it (fs/super.c, do_emergency_remount). */
const DONE = 'Emergency Remount complete';
const POLL_MS = 20;
/** Where the kernel cannot be heard, it is given this long. */
const DEAF_MS = 2000;

export interface EmergencyOptions {
  readonly timeoutMs?: number;
  readonly kernelLog?: string;
  readonly trigger?: () => void;
}

/**
 * Makes every block device's file system read-only however busy it is, also those that no path leads to any more, as the
 * disk below a union. The kernel does it some time after it was asked and says so in its log.
 * @returns whether it was done within the time
 */
export async function emergencyRemount({
  timeoutMs = 5000,
  kernelLog = '/dev/kmsg',
  trigger = () => sysrq('remountReadOnly'),
}: EmergencyOptions = {}): Promise<boolean> {
  const log = openLog(kernelLog);
  if (log === undefined) {
    trigger();
    await new Promise((resolve) => setTimeout(resolve, Math.min(DEAF_MS, timeoutMs)));
    return false;
  }
  try {
    readAll(log); // what was said before does not count
    trigger();
    const until = performance.now() + timeoutMs;
    for (;;) {
      if (readAll(log).includes(DONE)) return true;
      if (performance.now() >= until) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    closeSync(log);
  }
}

/** undefined: printk.devkmsg=off keeps everybody out. */
function openLog(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'EPERM', 'EACCES', 'ENOENT')) return undefined;
    throw error;
  }
}

/** Up to the end: each read of /dev/kmsg gives one record (Documentation/ABI/testing/dev-kmsg). */
function readAll(log: number): string {
  const record = Buffer.alloc(8192);
  let text = '';
  for (;;) {
    try {
      const length = readSync(log, record);
      if (length === 0) return text;
      text += record.toString('latin1', 0, length);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EAGAIN') return text;
      if (code !== 'EPIPE') throw error; // records were overwritten meanwhile: the next read goes on behind them
    }
  }
}
