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

/** What this process's children have had of processors that were waited for, in seconds. */
function childrensCpuSeconds(): number {
  // proc_pid_stat(5): cutime and cstime are fields 16 and 17, the third is the first behind the name.
  const stat = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(stat[13]) + Number(stat[14])) / TICKS;
}

/**
 * Runs a program to its end, nothing else meanwhile. Memory is looked at every 50 ms.
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
  const cpuBefore = childrensCpuSeconds();
  let peakMegabytes = 0;
  const look = (): void => {
    try {
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
  const wallSeconds = (performance.now() - start) / 1000;
  return { wallSeconds, cpuSeconds: childrensCpuSeconds() - cpuBefore, peakMegabytes: Math.round(peakMegabytes) };
}
