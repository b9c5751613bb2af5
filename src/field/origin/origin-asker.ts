import type { ChunkIndex } from '../../image/chunk-index.ts';
import type { Origins } from './origins.ts';

/** Trouble with origins is told no more often than this. */
const TROUBLE_SAY_MS = 10_000;

export interface OriginEvents {
  /** A chunk has come, and is what the index says. */
  got(chunk: number, bytes: Uint8Array): void;
  failed(chunk: number): void;
}

/** Asks origins for chunks, each once at a time, and says when that goes wrong: not with every chunk. */
export class OriginAsker {
  readonly #origins: Origins;
  readonly #log: (line: string) => void;
  readonly #events: OriginEvents;
  /** What is being asked for, and whether a read waits for it. */
  readonly #asking = new Map<number, { urgent: boolean }>();
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(origins: Origins, log: (line: string) => void, events: OriginEvents) {
    this.#origins = origins;
    this.#log = log;
    this.#events = events;
  }

  ask(chunk: number, index: ChunkIndex | undefined, urgent: boolean): void {
    const asking = this.#asking.get(chunk);
    if (asking !== undefined) asking.urgent ||= urgent;
    if (index === undefined || asking !== undefined) return;
    const haste = { urgent };
    this.#asking.set(chunk, haste);
    this.#origins
      .fetch(index, chunk, haste)
      .then((bytes) => this.#events.got(chunk, bytes))
      .catch((error: unknown) => {
        this.#say(error);
        this.#events.failed(chunk);
      })
      .finally(() => this.#asking.delete(chunk));
  }

  #say(error: unknown): void {
    const now = performance.now();
    if (now - this.#saidAt < TROUBLE_SAY_MS) return;
    this.#saidAt = now;
    this.#log(error instanceof Error ? error.message : String(error));
  }
}
