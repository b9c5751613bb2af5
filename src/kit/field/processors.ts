import { readFileSync } from 'node:fs';
import { describeError } from '../../linux/describe-error.ts';

const STAT = '/proc/stat';
const LOOK_MS = 1000;
/** As long as a boot may take (src/field/exchange/keeping/idleness.ts): nobody asks after that. */
const WATCH_MS = 310_000;
/** `/proc/stat` counts in hundredths of a second (proc(5), USER_HZ), whatever the kernel's own clock. */
const MICROSECONDS_PER_TICK = 10_000;

/** Time since the machine started, in ticks, of all processors together. */
interface ProcessorTimes {
  readonly busy: number;
  readonly total: number;
}

/**
 * The first line of `/proc/stat` (proc(5)): user, nice, system, idle, iowait, irq, softirq, steal; the two that follow
 * are counted in the first two already. undefined: no such line.
 */
export function parseProcessorTimes(text: string): ProcessorTimes | undefined {
  const [, line] = /^cpu +(\d[\d ]*)$/m.exec(text) ?? [];
  const times = line?.trim().split(/ +/).slice(0, 8).map(Number) ?? [];
  const [, , , idle = Number.NaN, waiting = 0] = times;
  if (Number.isNaN(idle)) return undefined;
  const total = times.reduce((sum, one) => sum + one, 0);
  return { busy: total - idle - waiting, total };
}

/** What others took of all processors' time between two looks, 0 to 1. Pure. @param ownTicks what this process took */
export function shareOfOthers(before: ProcessorTimes, after: ProcessorTimes, ownTicks: number): number {
  const passed = after.total - before.total;
  if (passed <= 0) return 0;
  return Math.min(1, Math.max(0, (after.busy - before.busy - ownTicks) / passed));
}

/**
 * Tells each second what other programs take of the processors, while a boot may last. The daemon that runs it has a
 * root hanging on it: what cannot be read ends the watch, as if all were idle, and nothing else. At a shutdown soon
 * after the boot /proc is gone before the daemon is.
 * @returns ends it
 */
export function watchProcessors(
  tell: (others: number) => void,
  log: (line: string) => void,
  { stat = STAT, everyMs = LOOK_MS }: { readonly stat?: string; readonly everyMs?: number } = {},
): () => void {
  const startMs = performance.now();
  let times: ProcessorTimes | undefined;
  let own = process.cpuUsage();
  const look = (): void => {
    const now = parseProcessorTimes(readFileSync(stat, 'latin1'));
    const used = process.cpuUsage(own);
    if (times !== undefined && now !== undefined)
      tell(shareOfOthers(times, now, (used.user + used.system) / MICROSECONDS_PER_TICK));
    [times, own] = [now, process.cpuUsage()];
  };
  const timer = setInterval(() => {
    try {
      look();
    } catch (error) {
      clearInterval(timer);
      tell(0);
      log(`how busy the processors are is not looked at any more: ${describeError(error)}`);
    }
    if (performance.now() - startMs > WATCH_MS) clearInterval(timer);
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
