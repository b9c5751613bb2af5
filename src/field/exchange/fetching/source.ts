import type { ConnectionId } from '../../event.ts';
import type { Address } from '../../wire/address.ts';
import { ChunkSet } from '../../wire/chunk-set.ts';
import type { NodeId } from '../../wire/record.ts';

/** A chunk asked for. */
export interface Order {
  at: number;
  readonly urgent: boolean;
  readonly bytes: number;
  /** Nobody waits for it. */
  readonly isSpare: boolean;
  /** Its header has come: the rest will. */
  arriving: boolean;
}

/** Somebody we fetch from. */
export interface Source {
  readonly conn: ConnectionId;
  readonly node: NodeId;
  readonly address: Address;
  readonly has: ChunkSet;
  readonly orders: Map<number, Order>;
  /** Chunks on order whose choice we left to the source, and since when. */
  choices: number;
  choiceAt: number;
  /** Of these and of the orders, how many nobody waits for, and when the last of these was ordered. */
  spareChoices: number;
  spareOrders: number;
  spareAt: number;
  /** Chosen chunks that were given up waiting for, and those taken back: they may come all the same. */
  choicesGivenUp: number;
  readonly cancelled: Set<number>;
  /** It had nothing to choose from: it is not left the choice again before something has changed. */
  isChoiceVain: boolean;
  bytesOnOrder: number;
  /** Bytes per second while something was on order. */
  rate: number;
  lastArrival: number;
  lastHeard: number;
  delivered: number;
  strikes: number;
  /** Chunks that came and are not yet confirmed. */
  unconfirmed: number;
  /** Whether its holdings have come. */
  known: boolean;
}

/** @param chunks in the image */
export function newSource(conn: ConnectionId, node: NodeId, address: Address, chunks: number, now: number): Source {
  return {
    conn,
    node,
    address,
    has: new ChunkSet(chunks),
    orders: new Map(),
    choices: 0,
    choiceAt: 0,
    spareChoices: 0,
    spareOrders: 0,
    spareAt: Number.NEGATIVE_INFINITY,
    choicesGivenUp: 0,
    cancelled: new Set(),
    isChoiceVain: false,
    bytesOnOrder: 0,
    rate: 1 << 20,
    lastArrival: now,
    lastHeard: now,
    delivered: 0,
    strikes: 0,
    unconfirmed: 0,
    known: false,
  };
}

/** What a source was left to choose has become less: it may be that nobody waits for what is left. */
export function capSpare(source: Source): void {
  source.spareChoices = Math.min(source.spareChoices, source.choices);
}

/** A source that has sent nothing for so long lets others wait, too. */
const SILENT_MS = 500;

/** Chunks that nobody waits for and that are on their way from a source. */
export function spareOnOrder({ spareChoices, spareOrders, spareAt, lastArrival }: Source, now: number): number {
  return now - Math.max(spareAt, lastArrival) < SILENT_MS ? spareChoices + spareOrders : 0;
}

const CANCELLED_LIMIT = 4096;

/** An order was taken back: its chunk may be on its way already, and is no breach of the protocol then. */
export function noteCancelled({ cancelled }: Source, chunk: number): void {
  cancelled.add(chunk);
  if (cancelled.size <= CANCELLED_LIMIT) return;
  for (const oldest of cancelled) {
    cancelled.delete(oldest);
    return;
  }
}

/** A good chunk has come from a source. */
export function measureSource(source: Source, bytes: number, orderedAt: number, now: number): void {
  const seconds = Math.max(now - Math.max(source.lastArrival, orderedAt), 0.05) / 1000;
  // The mean of seconds a byte, not of bytes a second: chunks that come in a burst would count for too much.
  source.rate = 1 / (0.75 / source.rate + 0.25 * (seconds / bytes));
  source.lastArrival = now;
  source.lastHeard = now;
  source.delivered++;
  source.strikes = 0;
}

/** An order is given up, and counted against the source, after so long without a byte from it. */
const DEADLINE_MS = 4000;

/** It owes us something and has been silent for too long. */
export function isOverdue({ orders, choices, choiceAt, lastArrival }: Source, now: number): boolean {
  let oldest = choices > 0 ? choiceAt : Number.POSITIVE_INFINITY;
  for (const { at } of orders.values()) oldest = Math.min(oldest, at);
  return now - Math.max(oldest, lastArrival) > DEADLINE_MS && oldest < now;
}
