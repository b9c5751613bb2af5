import type { Action, ConnectionId } from '../../event.ts';

/** Who was asked and has not answered by then does not. */
const DEADLINE_MS = 10_000;
const AGAIN_MS = 1500;
/** Who has shown nothing that helps so often is left for another source. */
const TRIES = 3;

interface Asked {
  /** Infinity: it has answered. */
  at: number;
  tries: number;
}

/**
 * Whom we asked for what is signed: every source once. A node that takes no unsigned image asks again and again, until
 * a signature has been shown that may be one of the index; before that the index itself is not asked for.
 */
export class PaperSeeker {
  readonly #asked = new Map<ConnectionId, Asked>();
  #isWanting: boolean;
  #againAt = 0;

  /** @param isWanting nothing unsigned is taken */
  constructor(isWanting: boolean) {
    this.#isWanting = isWanting;
  }

  /** Whether a signature must be shown before anything else is of use. */
  get isWanting(): boolean {
    return this.#isWanting;
  }

  /** A source is there. */
  ask(conn: ConnectionId, now: number, out: Action[]): void {
    const known = this.#asked.get(conn);
    if (known !== undefined && known.at !== Number.POSITIVE_INFINITY) return;
    this.#asked.set(conn, { at: now, tries: (known?.tries ?? 0) + 1 });
    out.push({ kind: 'frame', conn, frame: { kind: 'get papers' } });
  }

  /** It has answered. False when it was not asked. */
  arrived(conn: ConnectionId): boolean {
    const asked = this.#asked.get(conn);
    if (asked === undefined || asked.at === Number.POSITIVE_INFINITY) return false;
    asked.at = Number.POSITIVE_INFINITY;
    return true;
  }

  /** What has been shown is worth to ask for the index. */
  promised(): void {
    this.#isWanting = false;
  }

  closed(conn: ConnectionId): void {
    this.#asked.delete(conn);
  }

  /** From time to time, while there is no index. @param leave hangs up on one that does not help */
  again(
    connected: readonly { readonly conn: ConnectionId }[],
    leave: (conn: ConnectionId, why: string) => void,
    now: number,
    out: Action[],
  ): void {
    if (now < this.#againAt) return;
    this.#againAt = now + AGAIN_MS;
    for (const { conn } of connected) {
      const asked = this.#asked.get(conn);
      const isMute = asked !== undefined && now - asked.at > DEADLINE_MS;
      if (isMute) leave(conn, 'does not say what is signed');
      else if (this.#isWanting && asked !== undefined && asked.tries >= TRIES) leave(conn, 'shows no signature');
      else this.ask(conn, now, out);
    }
  }
}
