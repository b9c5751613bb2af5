import type { ConnectionId } from '../event.ts';
import type { Address } from '../wire/address.ts';
import type { ChunkRange } from '../wire/chunk-set.ts';
import type { NodeId } from '../wire/record.ts';

interface Wish {
  readonly chunk: number;
  readonly urgent: boolean;
  readonly insist: boolean;
  readonly at: number;
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
  readonly wishes: Map<number, Wish>;
  choices: number;
  choiceRanges: readonly ChunkRange[];
  /** Chunks of `choiceRanges` that were given since these were named, or a moment before. */
  choiceGiven: Set<number>;
  readonly onItsWay: OnItsWay[];
  bytesOnItsWay: number;
  lastGot: number;
  lastHeard: number;
  lastServed: number;
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
    wishes: new Map(),
    choices: 0,
    choiceRanges: [],
    choiceGiven: new Set(),
    onItsWay: [],
    bytesOnItsWay: 0,
    lastGot: now,
    lastHeard: now,
    lastServed: 0,
    subscribed: false,
    news: new Map(),
    lacking: [],
    lackingChoices: 0,
    newsAt: Number.POSITIVE_INFINITY,
  };
}

/** Who confirms nothing for so long no longer holds up the others, and gets nothing more until it does. */
const STUCK_MS = 1000;

export function isStuck(client: Client, now: number): boolean {
  return client.onItsWay.length > 0 && now - client.lastGot > STUCK_MS;
}
