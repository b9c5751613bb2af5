import { setTimeout as sleep } from 'node:timers/promises';
import type { ChunkHolder } from './chunk-holder.ts';

/** Nobody waits longer for a directory to be searched before reads are served. */
const SEARCH_MS = 2000;

/**
 * Searches what a directory has of the image, and resolves when that is over or has taken long. Most directories are
 * searched in a moment; of a large one each chunk is looked for when it is read, until then.
 */
export async function searchStore(
  holder: ChunkHolder,
  found: (chunks: readonly number[]) => void,
  log: (line: string) => void,
): Promise<void> {
  if (!holder.isSearching) return;
  const stop = new AbortController();
  const patience = sleep(SEARCH_MS, undefined, { signal: stop.signal }).catch(() => {});
  const search = holder.searchDisk(found).catch((error: unknown) => {
    log(`the store cannot be searched: ${error instanceof Error ? error.message : String(error)}`);
  });
  await Promise.race([search, patience]);
  stop.abort();
}
