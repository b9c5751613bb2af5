import { toRanges } from '../wire/ranges.ts';
import type { ChunkHolder } from './chunk-holder.ts';

/** Trouble with what is held here is told no more often than this. */
const SAY_MS = 10_000;

export interface TroubleLinks {
  readonly holder: () => ChunkHolder | undefined;
  readonly log: (line: string) => void;
  readonly unwritten: (chunk: number) => void;
  readonly unheld: (chunks: readonly { readonly start: number; readonly end: number }[]) => void;
}

/** What was held and cannot be read, or was to be held and cannot be written. */
export class Troubles {
  readonly #links: TroubleLinks;
  #saidAt = Number.NEGATIVE_INFINITY;
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
