import type { Action } from '../event.ts';
import { type Address, isLoopback, isUnspecified } from '../wire/address.ts';
import { compareRecords, fits, makeRecord, type NodeId, type NodeRecord, STATE_DOWN } from '../wire/record.ts';
import type { Claims } from './claims.ts';
import type { Departure } from './gossip-options.ts';
import type { Graves } from './graves.ts';
import { Hearsay } from './hearsay.ts';
import type { Joining } from './joining.ts';
import type { Liveness, Question } from './liveness.ts';
import type { Members } from './members.ts';
import type { Namesakes } from './namesakes.ts';
import type { OwnRecord } from './own-record.ts';
import type { Rumours } from './rumours.ts';
import { bucketOf, ROWS_LIMIT, type VTable } from './v-table.ts';

/** Members that ask a node, on average, of which others say that it is gone or elsewhere. */
const VERIFIERS = 64;

export interface BeliefLinks {
  readonly node: NodeId;
  readonly random: () => number;
  readonly table: VTable;
  readonly own: OwnRecord;
  readonly members: Members;
  readonly liveness: Liveness;
  readonly rumours: Rumours;
  readonly claims: Claims;
  readonly graves: Graves;
  readonly namesakes: Namesakes;
  readonly joining: Joining;
  /** The version of our own record that was published last. */
  readonly published: () => number;
  readonly publish: (now: number) => void;
  /** Is it there? With records that it may want to contradict. */
  readonly ask: (question: Question, also: readonly NodeRecord[], out: Action[]) => void;
  readonly isHeard: (node: NodeId, now: number) => boolean;
  readonly onUp: (record: NodeRecord) => void;
  readonly onDown: (record: NodeRecord, how: Departure) => void;
}

/** Which of the records that come are believed: of a node itself all, of others what ends or moves nobody. */
export class Belief {
  readonly #links: BeliefLinks;
  readonly #hearsay = new Hearsay();

  constructor(links: BeliefLinks) {
    this.#links = links;
  }

  /** What a datagram from an address told. */
  learn(received: NodeRecord, from: Address, sender: NodeId, now: number, out: Action[]): void {
    if (received.node === this.#links.node) {
      if (this.#links.own.hear(received, this.#links.published())) this.#links.publish(now);
      return;
    }
    if (this.#links.own.chunks !== 0 && !fits(received, this.#links.own.chunks)) return;
    // Only the node itself may leave its address open: it is where its datagram came from.
    if (isUnspecified(received.address) && received.node !== sender) return;
    // What is here for one machine is somebody else for another.
    if (isLoopback(received.address) && !isLoopback(from)) return;
    const record = isUnspecified(received.address) ? locate(received, from) : received;
    const known = this.#links.table.get(record.node);
    // A name is nobody's: whoever uses a member's from elsewhere speaks as a third.
    const isAtHome = known === undefined || known.address === from;
    const isFirstHand = record.node === sender && record.address === from && isAtHome;
    if (isFirstHand) {
      this.#hearsay.confirmed(record.node);
      if (this.#links.claims.wasBelieved(record.node)) this.#unsay(record);
    }
    const isHarmless =
      known === undefined ||
      (record.life === known.life && record.address === known.address && record.state !== STATE_DOWN);
    if (isFirstHand || isHarmless) this.believe(record, isFirstHand ? undefined : from, now, out);
    else if (compareRecords(record, known) > 0) this.#verify(record, known, from, now, out);
  }

  /** Others say of a member what would end or move it: it is asked, and so are others by being told. */
  #verify(claimed: NodeRecord, known: NodeRecord, teller: Address, now: number, out: Action[]): void {
    if (this.#links.isHeard(claimed.node, now) || !this.#links.claims.raise(claimed, teller, now)) return;
    this.#links.rumours.add(claimed, true, now);
    // In a large field not everybody asks.
    if (this.#links.random() * this.#links.table.size > VERIFIERS) return;
    const { node, address } = known;
    this.#links.ask({ node, address, at: now, isProbe: false }, [claimed], out);
  }

  /** A node speaks of which others said what nothing it says could be newer than: that is forgotten. */
  #unsay(record: NodeRecord): void {
    const known = this.#links.table.get(record.node);
    if (known === undefined) this.#links.table.forgetTombstone(record.node);
    else if (compareRecords(record, known) < 0) {
      this.#links.table.remove(record.node);
      this.#leftPlace(known);
    }
  }

  /** @param teller who says so, when it is not the node itself */
  believe(record: NodeRecord, teller: Address | undefined, now: number, out: Action[]): void {
    const before = this.#links.table.get(record.node);
    if (before === undefined && record.state !== STATE_DOWN && !this.#makeRoom(record, teller)) return;
    if (this.#links.table.merge(record) !== 'news') return;
    this.#links.liveness.clear(record.node, record);
    this.#links.claims.refute(record);
    if (record.state === STATE_DOWN) {
      this.#links.rumours.add(record, true, now);
      this.#dig(record.node, now);
      if (before !== undefined) this.#wentDown(before, teller === undefined ? 'left' : 'is gone');
      return;
    }
    const isNew = before === undefined || before.life !== record.life;
    this.#links.rumours.add(record, isNew || before.state !== record.state, now);
    if (before !== undefined && before.address !== record.address) this.#leftPlace(before);
    if (before === undefined || before.address !== record.address) this.#tookPlace(record, teller, now, out);
    if (!isNew) return;
    this.#links.graves.close(record.node);
    this.#links.members.appeared(record.node);
    this.#links.onUp(record);
  }

  /** A full table forgets a node that only the one has told of who told of most. */
  #makeRoom({ node, address }: NodeRecord, teller: Address | undefined): boolean {
    if (!this.#hearsay.hasRoomFor(address)) return false;
    if (this.#links.table.hasRoomFor(node)) return true;
    const bucket = bucketOf(node);
    const isFull = this.#links.table.size >= ROWS_LIMIT;
    const victim = this.#hearsay.victim(teller ?? address, (other) => isFull || bucketOf(other) === bucket);
    const record = victim === undefined ? undefined : this.#links.table.get(victim);
    if (record === undefined) return false;
    this.#links.table.remove(record.node);
    this.#wentDown(record, 'is gone');
    return true;
  }

  #tookPlace({ node, address }: NodeRecord, teller: Address | undefined, now: number, out: Action[]): void {
    this.#hearsay.appeared(node, address, teller);
    this.#links.joining.look(address, true);
    if (!this.#links.namesakes.appeared(node, address)) return;
    // One address, one node: who answers there.
    this.#links.ask({ node: 0, address, at: now, isProbe: false }, [], out);
  }

  #leftPlace({ node, address }: NodeRecord): void {
    this.#hearsay.gone(node, address);
    this.#links.namesakes.gone(node, address);
    this.#links.joining.look(address, false);
  }

  #dig(node: NodeId, now: number): void {
    const forgotten = this.#links.graves.dig(node, now);
    if (forgotten !== undefined) this.#links.table.forgetTombstone(forgotten);
  }

  /** A node is gone, as we ourselves found. */
  down(record: NodeRecord, now: number): void {
    const down = this.#links.table.tombstoneFor(record, this.#links.own.chunks);
    if (this.#links.table.merge(down) !== 'news') return;
    this.#dig(record.node, now);
    this.#links.rumours.add(down, true, now);
    this.#wentDown(record, 'is lost');
  }

  #wentDown(record: NodeRecord, how: Departure): void {
    this.#links.liveness.forget(record.node);
    this.#links.claims.drop(record.node);
    this.#leftPlace(record);
    this.#links.onDown(record, how);
  }
}

/** A record without an address of its own, at the address its datagram came from; the port is its own. */
function locate(record: NodeRecord, from: Address): NodeRecord {
  const port = record.address.slice(record.address.lastIndexOf(':'));
  return makeRecord({ ...record, address: from.slice(0, from.lastIndexOf(':')) + port });
}
