import { readFileSync } from 'node:fs';

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
 * Tells each second what other programs take of the processors, while a boot may last.
 * @returns ends it
 */
export function watchProcessors(tell: (others: number) => void): () => void {
  const look = () => parseProcessorTimes(readFileSync(STAT, 'latin1'));
  const startMs = performance.now();
  let [times, own] = [look(), process.cpuUsage()];
  const timer = setInterval(() => {
    const now = look();
    const used = process.cpuUsage(own);
    if (times !== undefined && now !== undefined)
      tell(shareOfOthers(times, now, (used.user + used.system) / MICROSECONDS_PER_TICK));
    [times, own] = [now, process.cpuUsage()];
    if (performance.now() - startMs > WATCH_MS) clearInterval(timer);
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
