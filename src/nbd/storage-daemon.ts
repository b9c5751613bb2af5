import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { lockMemory } from '../linux/memory.ts';
import { becomeIoFlusher, continueWhenStopped } from '../linux/process.ts';

/** Never chosen when memory runs out: proc_pid_oom_score_adj(5). */
const NEVER_KILLED = '-1000';

/** Nice value. */
const PRIORITY = -10;

/** How long whoever stops all processes at the end of a machine may wait for a block. */
const CONTINUE_MS = 250;

/** What a process whose I/O a block device depends on does, in order; each with what is lost without it. */
const STEPS: readonly { readonly apply: () => void; readonly without: string }[] = [
  {
    apply: () => writeFileSync('/proc/self/oom_score_adj', NEVER_KILLED),
    without: 'it may be killed when memory runs out',
  },
  { apply: () => setPriority(PRIORITY), without: 'those who wait for it run before it' },
  { apply: becomeIoFlusher, without: 'it may wait for itself when memory runs out' },
  { apply: lockMemory, without: 'its code may be paged out' },
  {
    apply: () => continueWhenStopped(CONTINUE_MS),
    without: 'the end of the machine hangs if it is stopped while something is read',
  },
  // At a shutdown it comes twice, from who ends all processes and passed on by the supervisor: the second is no
  // impatience, and must not cut short how it leaves the field.
  { apply: () => void process.on('SIGTERM', () => {}), without: 'a second SIGTERM ends it at once' },
];

/**
 * Makes this process fit to be the daemon under a kernel block device. Needs root; what cannot be had is said and done
 * without, since a device served by a lesser daemon is better than none.
 */
export function becomeStorageDaemon(log: (line: string) => void): void {
  for (const { apply, without } of STEPS) {
    try {
      apply();
    } catch (error) {
      log(`storage daemon: ${without}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
