import type { Action, ConnectionId, FieldEvent } from '../event.ts';

/** Faults of one kind are told no more often than this. */
const SAY_MS = 10_000;
/** So many faults in a row in what concerns no peer: the node's own state is broken, and a new one is better. */
const OWN_IN_A_ROW = 20;

export interface FaultLinks {
  readonly drop: (conn: ConnectionId) => void;
  readonly giveUp: (error: unknown) => void;
}

/**
 * Exceptions in the handling of what comes and of what is to be done: faults of our own. Whatever one peer has sent
 * costs that peer its connection, or the one datagram, and nobody else anything.
 */
export class Faults {
  readonly #log: (line: string) => void;
  readonly #links: FaultLinks;
  readonly #saidAt = new Map<string, number>();
  #ownInARow = 0;

  constructor(log: (line: string) => void, links: FaultLinks) {
    this.#log = log;
    this.#links = links;
  }

  /** An event could not be handled. */
  at(event: FieldEvent, error: unknown): void {
    this.#say(`handling '${event.kind}'`, error);
    if ('conn' in event) {
      if (event.kind !== 'closed') this.#links.drop(event.conn);
      return;
    }
    if (event.kind === 'datagram') return;
    if (++this.#ownInARow >= OWN_IN_A_ROW) this.#links.giveUp(error);
  }

  /** An action could not be carried out. */
  doing(action: Action, error: unknown): void {
    this.#say(`doing '${action.kind}'`, error);
    if ('conn' in action && action.kind !== 'close') this.#links.drop(action.conn);
  }

  /** The node's own business went well. */
  wentWell(): void {
    this.#ownInARow = 0;
  }

  #say(what: string, error: unknown): void {
    const now = performance.now();
    if (now - (this.#saidAt.get(what) ?? Number.NEGATIVE_INFINITY) < SAY_MS) return;
    this.#saidAt.set(what, now);
    this.#log(
      `fault of this program, ${what}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }
}
