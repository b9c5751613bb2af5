import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Measured {
  readonly wallSeconds: number;
  /** Of all its threads, user and system. On a machine that does other things as well, this is what can be compared. */
  readonly cpuSeconds: number;
  readonly peakMegabytes: number;
}

const POLL_MS = 50;
/** clock ticks a second, sysconf(_SC_CLK_TCK) on every Linux there is. */
const TICKS = 100;

/**
 * Runs a program to its end and looks meanwhile what it takes; the last look is at most 50 ms before its end.
 * @throws Error when it fails
 */
export async function measure(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Measured> {
  const start = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });
  const ended = new Promise<number | null>((done, failed) => child.once('close', done).once('error', failed));
  let [cpuSeconds, peakMegabytes] = [0, 0];
  const look = (): void => {
    try {
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      cpuSeconds = (Number(stat[11]) + Number(stat[12])) / TICKS;
      const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
      peakMegabytes = Math.max(peakMegabytes, Number(peak?.[1] ?? 0) / 1024);
    } catch {
      // it has just ended
    }
  };
  let running = true;
  const code = await Promise.race([
    ended,
    (async () => {
      while (running) {
        look();
        await sleep(POLL_MS);
      }
      return await ended;
    })(),
  ]).finally(() => {
    running = false;
  });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with code ${code}`);
  return { wallSeconds: (performance.now() - start) / 1000, cpuSeconds, peakMegabytes: Math.round(peakMegabytes) };
}
