import { setTimeout as sleep } from 'node:timers/promises';
import { toRanges } from '../wire/ranges.ts';
import type { ChunkHolder } from './chunk-holder.ts';

/** Trouble with what is held here is told no more often than this. */
const SAY_MS = 10_000;
/** A slow disk is behind again and again. */
const SAY_BEHIND_MS = 600_000;
/** Whoever switches a machine off waits no longer for a slow disk. */
const LAST_WRITES_MS = 3000;

export interface TroubleLinks {
  readonly holder: () => ChunkHolder | undefined;
  readonly log: (line: string) => void;
  readonly unwritten: (chunk: number) => void;
  readonly unheld: (chunks: readonly { readonly start: number; readonly end: number }[]) => void;
  readonly behind: (isBehind: boolean) => void;
}

/** What was held and cannot be read, or was to be held and cannot be written. */
export class Troubles {
  readonly #links: TroubleLinks;
  #saidAt = Number.NEGATIVE_INFINITY;
  #saidBehindAt = Number.NEGATIVE_INFINITY;
  #isProbing = false;

  constructor(links: TroubleLinks) {
    this.#links = links;
  }

  /** A chunk could not be written. */
  unwritten(chunk: number, error: unknown): void {
    this.#say(`chunk ${chunk} cannot be kept`, error);
    this.#links.unwritten(chunk);
  }

  /** A chunk that was held could not be read. */
  unread(chunk: number, error: unknown): void {
    this.#say(`chunk ${chunk} cannot be read here`, error);
    this.#links.unheld([{ start: chunk, end: chunk + 1 }]);
    if (!this.#isProbing) void this.#probeMedium();
  }

  /** Chunks that are here by name alone: the power went while they were written. */
  torn(chunks: readonly number[]): void {
    this.#links.log(
      `${chunks.length} chunks of the store are empty, as a power cut leaves them: they come from others`,
    );
    this.#links.unheld(toRanges(chunks));
  }

  /** The disk does not keep up with what comes, or does again. */
  behind(isBehind: boolean): void {
    const now = performance.now();
    if (isBehind && now - this.#saidBehindAt >= SAY_BEHIND_MS) {
      this.#saidBehindAt = now;
      this.#links.log(
        'the disk of the store is slow: for now what comes is not kept, and nothing is fetched in advance',
      );
    }
    this.#links.behind(isBehind);
  }

  /** This node ends: what still waits for the disk gets there, or is told of. */
  async lastWrites(holder: ChunkHolder): Promise<void> {
    const stop = new AbortController();
    await Promise.race([holder.written(), sleep(LAST_WRITES_MS, undefined, { signal: stop.signal }).catch(() => {})]);
    stop.abort();
    const { chunks = 0 } = holder.waiting ?? {};
    if (chunks > 0) this.#links.log(`${chunks} chunks are not in the store: its disk is too slow`);
  }

  #say(what: string, error: unknown): void {
    const now = performance.now();
    if (now - this.#saidAt < SAY_MS) return;
    this.#saidAt = now;
    this.#links.log(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }

  /** Others are told at once of all that went with a medium, and do not find it out chunk by chunk. */
  async #probeMedium(): Promise<void> {
    this.#isProbing = true;
    const lost = (await this.#links.holder()?.lostWithMedium()) ?? [];
    this.#isProbing = false;
    if (lost.length === 0) return;
    this.#links.log(`the medium is gone, and with it ${lost.length} chunks: they come from others from now on`);
    this.#links.unheld(toRanges(lost));
  }
}
