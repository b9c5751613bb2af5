import { readFileSync } from 'node:fs';
import { hasCode } from './errno.ts';
import { call } from './libc.ts';

const MLOCK_ONFAULT = 1;
const MADV_DONTNEED = 4;

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

/**
 * What of this process's files can be let go of and comes again when it is touched, from /proc/PID/smaps: mappings
 * that nobody may write to and of which no page has become the process's own (as relocated ones have).
 */
export function planRelease(smaps: string): Mapping[] {
  // Each mapping is a line as in maps, and behind it its figures, a line each.
  const entries = smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const isFilesOnly = (entry: string): boolean => /^\S+ r-[-x]p /.test(entry) && /^Anonymous: +0 kB$/m.test(entry);
  return entries.filter(isFilesOnly).flatMap((entry) => parseMaps(entry).filter(({ name }) => name.startsWith('/')));
}

/**
 * Gives back the pages of the executable and its libraries that are in memory now: of a process that has started, most
 * of them (the snapshot it was made from, above all) are never read again. For one that stays, before `lockMemory`.
 */
export function releaseStartPages(): void {
  for (const { start, end, name } of planRelease(readFileSync('/proc/self/smaps', 'utf8'))) {
    call('madvise', name, (c) => c.madvise(BigInt(start), BigInt(end - start), MADV_DONTNEED));
  }
}
