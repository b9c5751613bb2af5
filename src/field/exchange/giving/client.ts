import type { ConnectionId } from '../../event.ts';
import type { Address } from '../../wire/address.ts';
import type { ChunkRange } from '../../wire/chunk-set.ts';
import type { NodeId } from '../../wire/record.ts';

export interface Wish {
  readonly chunk: number;
  readonly urgent: boolean;
  readonly insist: boolean;
  readonly at: number;
}

export function wishOf({ urgent, insist }: Pick<Wish, 'urgent' | 'insist'>, chunk: number, at: number): Wish {
  return { chunk, urgent, insist, at };
}

/** How long a request for a chunk that is on its way to us may wait. */
const PROMISE_MS = 3000;

/** What a client has asked for by number. To find the next one to serve costs the same for one wish and for thousands. */
export class Wishes {
  /** A read waits for these. */
  readonly urgent = new Map<number, Wish>();
  readonly calm = new Map<number, Wish>();
  /** Those that we do not hold and are getting ourselves. */
  readonly promised = new Map<number, Wish>();

  get size(): number {
    return this.urgent.size + this.calm.size + this.promised.size;
  }

  add(wish: Wish, isHeld: boolean): void {
    const list = this.#listOf(wish.urgent, isHeld);
    // Asked for again as before, by thousands at a time perhaps: it keeps its place.
    const known = list.get(wish.chunk);
    if (known?.insist === wish.insist && known.urgent === wish.urgent) return;
    this.delete(wish.chunk);
    list.set(wish.chunk, wish);
  }

  #listOf(urgent: boolean, isHeld: boolean): Map<number, Wish> {
    if (!isHeld) return this.promised;
    return urgent ? this.urgent : this.calm;
  }

  delete(chunk: number): boolean {
    return this.urgent.delete(chunk) || this.calm.delete(chunk) || this.promised.delete(chunk);
  }

  /** Forgets promised chunks that are not on their way to us any more, or were waited for too long. @returns these */
  giveUp(isComing: (chunk: number) => boolean, mayTakeTime: (chunk: number) => boolean, now: number): number[] {
    const isBroken = ({ chunk, at }: Wish): boolean =>
      !isComing(chunk) || (now - at > PROMISE_MS && !mayTakeTime(chunk));
    const broken = [...this.promised.values()].filter(isBroken).map(({ chunk }) => chunk);
    for (const chunk of broken) this.promised.delete(chunk);
    return broken;
  }

  /** A chunk is here now. */
  gained(chunk: number): void {
    const wish = this.promised.get(chunk);
    if (wish !== undefined) this.add(wish, true);
  }
}

interface OnItsWay {
  readonly chunk: number;
  readonly bytes: number;
  readonly at: number;
}

/** Who fetches from us: what it wants, what is on its way to it, and what it has not been told yet. */
export interface Client {
  readonly conn: ConnectionId;
  readonly node: NodeId;
  readonly address: Address;
  readonly wishes: Wishes;
  choices: number;
  choiceRanges: readonly ChunkRange[];
  /** Chunks of `choiceRanges` that were given since these were named, or a moment before. */
  readonly choiceGiven: Set<number>;
  /** Of these, what it has confirmed since it last said what to choose from. */
  readonly confirmedChunks: number[];
  readonly onItsWay: OnItsWay[];
  bytesOnItsWay: number;
  lastGot: number;
  /** The shortest time from giving a chunk to hearing that it came, in ms: the way there and back. */
  leastMs: number;
  lastHeard: number;
  lastServed: number;
  /** Bytes it has confirmed: who has confirmed nothing yet gets little at once. */
  confirmed: number;
  subscribed: boolean;
  /** Chunks that came (true) or went since the client was last told. */
  readonly news: Map<number, boolean>;
  /** Chunks it asked for that went before they could be given. */
  lacking: number[];
  /** Chunks it left to us to choose when there was nothing left to choose from. */
  lackingChoices: number;
  /** When the news go out at the latest. */
  newsAt: number;
}

export function newClient(conn: ConnectionId, node: NodeId, address: Address, now: number): Client {
  return {
    conn,
    node,
    address,
    wishes: new Wishes(),
    choices: 0,
    choiceRanges: [],
    choiceGiven: new Set(),
    confirmedChunks: [],
    onItsWay: [],
    bytesOnItsWay: 0,
    lastGot: now,
    leastMs: Number.POSITIVE_INFINITY,
    lastHeard: now,
    lastServed: 0,
    confirmed: 0,
    subscribed: false,
    news: new Map(),
    lacking: [],
    lackingChoices: 0,
    newsAt: Number.POSITIVE_INFINITY,
  };
}

/** Chunks that one may have asked for at a time. */
export const WISHES_LIMIT = 4096;
/** Who takes nothing of what is on its way to it for so long is not waited for any more. */
const GIVEN_UP_MS = 60_000;
/** Bytes on their way to one that has confirmed nothing yet. */
const CREDIT_FIRST = 1 << 20;

export function creditOf({ confirmed }: Client): number {
  return CREDIT_FIRST + 2 * confirmed;
}

export function isGivenUp(client: Client, now: number): boolean {
  return client.onItsWay.length > 0 && now - client.lastGot > GIVEN_UP_MS;
}

/** Who confirms nothing for so long no longer holds up the others, and gets nothing more until it does. */
const STUCK_MS = 1000;

export function isStuck(client: Client, now: number): boolean {
  return client.onItsWay.length > 0 && now - client.lastGot > STUCK_MS;
}
