import type { BootLog } from './boot-log.ts';

const EVERY_MS = 1000;
const MEBIBYTE = 1024 * 1024;

/** Says how far something is, at most once a second, and not at all of what is done sooner. */
export function progressLines(
  log: BootLog,
  what: string,
): (done: { readonly copiedBytes: number; readonly totalBytes: number }) => void {
  const startedMs = performance.now();
  let saidMs = startedMs;
  return ({ copiedBytes, totalBytes }) => {
    const nowMs = performance.now();
    if (nowMs - saidMs < EVERY_MS) return;
    saidMs = nowMs;
    const percent = Math.floor((copiedBytes / totalBytes) * 100);
    const speed = copiedBytes / MEBIBYTE / ((nowMs - startedMs) / 1000);
    log.info(`${what}: ${percent} % of ${Math.round(totalBytes / MEBIBYTE)} MiB, ${speed.toFixed(0)} MiB/s`);
  };
}
