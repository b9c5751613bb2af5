import { setTimeout as sleep } from 'node:timers/promises';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import type { Origins } from './origins.ts';

/** Peers that are there give the index; origins are asked for it after so long, again and again. */
const PEERS_FIRST_MS = 1000;
const AGAIN_MS = 1000;

export interface IndexWanted {
  /** Image id, 64 hex digits. */
  readonly id: string;
  /** There are peers that may have it. */
  readonly hasPeers: boolean;
  /** Nobody else has given it yet. */
  readonly isWanted: () => boolean;
  readonly take: (index: ChunkIndex) => void;
  readonly log: (line: string) => void;
}

/** With origins no peer is needed, not even for the index. Ends when it is known. */
export async function seekIndex(origins: Origins, { id, hasPeers, isWanted, take, log }: IndexWanted): Promise<void> {
  if (hasPeers) await sleep(PEERS_FIRST_MS, undefined, { ref: false });
  for (let said = ''; isWanted(); ) {
    try {
      const index = await origins.index(id);
      if (isWanted()) take(index);
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      if (said !== fault) log(fault);
      said = fault;
      await sleep(AGAIN_MS, undefined, { ref: false });
    }
  }
}
