import { readFileSync } from 'node:fs';
import { hasCode } from './errno.ts';
import { call } from './libc.ts';

const MLOCK_ONFAULT = 1;

/** A range of addresses of this process, half-open. */
export interface Mapping {
  readonly start: number;
  readonly end: number;
  /** A file, `[heap]`, `[stack]`; empty for memory without a name. */
  readonly name: string;
}

/** /proc/PID/maps, proc_pid_maps(5). Lines that are no mapping are left out. */
export function parseMaps(text: string): Mapping[] {
  return text.split('\n').flatMap((line) => {
    const match = /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) [-rwxps]{4} [0-9a-f]+ [0-9a-f]+:[0-9a-f]+ \d+ *(.*)$/.exec(line);
    if (match === null) return [];
    const [, start = '', end = '', name = ''] = match;
    return { start: Number.parseInt(start, 16), end: Number.parseInt(end, 16), name };
  });
}

/** What can be locked: files and the C heap. V8's own memory has no name. */
export function planMemoryLock(mappings: readonly Mapping[]): Mapping[] {
  return mappings.filter(({ name }) => name.startsWith('/') || name === '[heap]' || name === '[stack]');
}

/**
 * Keeps the executable, its libraries and the C heap from being paged out, each page from its first use on (mlock2(2),
 * MLOCK_ONFAULT). For the daemon under the root device, whose code must never be read from that root.
 *
 * V8's heap is left out, and mlockall(2) must never be called: V8 gives pages back by madvise(MADV_DONTNEED), which
 * fails on locked memory, and ends the process at the first such failure. Swap must therefore not lie on the device.
 */
export function lockMemory(): void {
  for (const { start, end, name } of planMemoryLock(parseMaps(readFileSync('/proc/self/maps', 'utf8')))) {
    try {
      call('mlock2', name, (c) => c.mlock2(BigInt(start), BigInt(end - start), MLOCK_ONFAULT));
    } catch (error) {
      // Unmapped again between the list and the lock.
      if (!hasCode(error, 'ENOMEM')) throw error;
    }
  }
}
