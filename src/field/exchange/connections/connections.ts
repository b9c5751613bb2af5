import type { Action, ConnectionId, FieldEvent } from '../../event.ts';
import type { Gossip } from '../../members/gossip.ts';
import type { Address } from '../../wire/address.ts';
import type { ChunkSet } from '../../wire/chunk-set.ts';
import { formatNode, type NodeId } from '../../wire/record.ts';
import type { IndexSeeker } from '../index/index-seeker.ts';
import type { IndexSpreader } from '../index/index-spreader.ts';
import type { PaperSeeker } from '../index/paper-seeker.ts';
import type { ProfileExchange } from '../index/profile-exchange.ts';
import type { Stock } from '../stock.ts';
import type { Admission } from './admission.ts';
import type { Dialogue } from './dialogue.ts';
import type { Discipline } from './discipline.ts';
import type { Neighbours } from './neighbours.ts';
import { FAULT_MS, LIE_MS } from './penalties.ts';

export interface ConnectionLinks {
  readonly node: NodeId;
  readonly gossip: Gossip;
  readonly neighbours: Neighbours;
  readonly admission: Admission;
  readonly discipline: Discipline;
  readonly dialogue: () => Dialogue;
  readonly indexes: IndexSpreader;
  readonly indexSeeker: IndexSeeker;
  readonly paperSeeker: PaperSeeker;
  readonly profiles: ProfileExchange;
  readonly stock: () => Stock | undefined;
  readonly say: (text: string) => void;
}

/** Who is connected: whom we dial, who is let in, who is hung up on and for what. */
export class Connections {
  readonly #links: ConnectionLinks;
  /** Nodes that went down since the last event: their connections are of no use any more. */
  #gone: NodeId[] = [];

  constructor(links: ConnectionLinks) {
    this.#links = links;
  }

  wentDown(node: NodeId): void {
    this.#gone.push(node);
  }

  /** Our dial was answered. */
  connected(conn: ConnectionId, node: NodeId, address: Address, now: number, out: Action[]): void {
    const { node: self, gossip, neighbours, discipline, indexSeeker, paperSeeker, profiles, stock } = this.#links;
    if (discipline.isOut(neighbours.addressOf(conn) ?? address, now) || node === self) {
      neighbours.closed(conn, now);
      out.push({ kind: 'close', conn, why: 'not wanted' });
      return;
    }
    neighbours.opened(conn, node);
    gossip.prove(address, now);
    paperSeeker.ask(conn, now, out);
    const fetcher = stock()?.fetcher;
    if (fetcher === undefined) {
      if (!paperSeeker.isWanting) indexSeeker.ask(conn, now, out);
      return;
    }
    fetcher.connected(conn, node, address, now);
    out.push({ kind: 'frame', conn, frame: { kind: 'subscribe' } });
    profiles.connected(conn, now, out);
  }

  /** Somebody dialled us. */
  accept(conn: ConnectionId, node: NodeId, address: Address, now: number, out: Action[]): void {
    const { admission, discipline, stock } = this.#links;
    if (discipline.isOut(address, now)) {
      out.push({ kind: 'close', conn, why: 'shut out' });
      return;
    }
    const giver = stock()?.giver;
    const idleTime = (other: ConnectionId): number => giver?.idleTime(other, now) ?? Number.POSITIVE_INFINITY;
    const verdict = admission.admit(conn, { node, address }, discipline.isSuspect(address, now), now, idleTime);
    if (verdict.kind === 'no room') {
      out.push({ kind: 'frame', conn, frame: { kind: 'refuse', others: verdict.others } });
      out.push({ kind: 'close', conn, why: verdict.kind });
      return;
    }
    giver?.accepted(conn, node, address, now);
    if (verdict.instead !== undefined) this.hangUpOn(verdict.instead, 'makes room for others', now, out);
  }

  closed(conn: ConnectionId, why: string, hostile: boolean, now: number, out: Action[]): void {
    const { gossip, neighbours, admission, dialogue, indexes, indexSeeker, paperSeeker, profiles, stock } = this.#links;
    const node = this.#nodeOf(conn);
    if (hostile) this.#punish(conn, why, FAULT_MS, now);
    admission.closed(conn);
    dialogue().closed(conn);
    indexes.closed(conn);
    neighbours.closed(conn, now);
    indexSeeker.done(conn);
    paperSeeker.closed(conn);
    profiles.closed(conn);
    stock()?.giver.closed(conn);
    stock()?.fetcher.closed(conn);
    if (node !== undefined) gossip.doubt(node, now, out);
  }

  /** Hangs up on those that are gone. */
  hangUp(now: number, out: Action[]): void {
    if (this.#gone.length === 0) return;
    const { admission, neighbours } = this.#links;
    const gone = new Set(this.#gone);
    this.#gone = [];
    const conns = admission.connectionsOf(gone);
    for (const { conn, node } of neighbours.connected()) if (gone.has(node)) conns.push(conn);
    for (const conn of conns) this.hangUpOn(conn, 'is gone', now, out);
  }

  hangUpOn(conn: ConnectionId, why: string, now: number, out: Action[]): void {
    out.push({ kind: 'close', conn, why });
    this.closed(conn, why, false, now, out);
  }

  /** Whom a person refuses has changed. */
  refuse(now: number, out: Action[]): void {
    for (const conn of this.#links.discipline.refused()) this.hangUpOn(conn, 'refused', now, out);
  }

  ban(conn: ConnectionId, why: string, firstMs: number, now: number, out: Action[]): void {
    const address = this.#punish(conn, why, firstMs, now);
    // Whatever else came from where a false source is goes with it.
    const conns = address === undefined ? [] : this.#links.admission.connectionsFrom(address);
    for (const each of new Set([conn, ...conns])) this.hangUpOn(each, why, now, out);
  }

  /** A piece of the index came. @param wanted which are still missing */
  indexPiece({ conn, piece, good, wanted }: FieldEvent & { readonly kind: 'index' }, now: number, out: Action[]): void {
    if (!good) this.ban(conn, 'gave a false index', LIE_MS, now, out);
    else if (this.#links.stock() === undefined && !this.#links.indexSeeker.arrived(conn, piece, wanted, now, out))
      out.push({ kind: 'close', conn, why: 'sent an index that was not asked for' });
  }

  /** A signature has been shown that may be one of the index. */
  promised(now: number, out: Action[]): void {
    this.#links.paperSeeker.promised();
    for (const { conn } of this.#links.neighbours.connected()) this.#links.indexSeeker.ask(conn, now, out);
  }

  /** Asks again for what a node without an index lacks. */
  askAgain(now: number, out: Action[]): void {
    const { neighbours, indexSeeker, paperSeeker } = this.#links;
    const connected = [...neighbours.connected()];
    paperSeeker.again(connected, (conn, why) => out.push({ kind: 'close', conn, why }), now, out);
    if (!paperSeeker.isWanting) indexSeeker.again(connected, now, out);
  }

  /** Dials whom we should fetch from. @param isWanting there is something to fetch @param isLeaving only who is wanted for that */
  dial(isWanting: boolean, isLeaving: boolean, now: number, out: Action[]): void {
    const { neighbours, stock } = this.#links;
    const data = stock();
    const isComplete = data !== undefined && data.held.count === data.lengths.count;
    if (isComplete && !isLeaving) {
      for (const { conn } of neighbours.connected()) out.push({ kind: 'close', conn, why: 'has all' });
      return;
    }
    if (!isLeaving && !isWanting) return;
    const planned = isLeaving ? neighbours.planWanted(now) : neighbours.plan(data?.held, now, data && interestOf(data));
    for (const { conn, address } of planned) out.push({ kind: 'dial', conn, address });
  }

  /** Hangs up on sources that have nothing for us while others may. */
  dropUseless({ fetcher, held, ...stock }: Stock, now: number, out: Action[]): void {
    for (const conn of this.#links.neighbours.useless(fetcher, held, interestOf(stock), now)) {
      out.push({ kind: 'close', conn, why: 'has nothing new' });
    }
  }

  /** Sources that are silent lose what was ordered there, and in the end their connection. */
  dropSilent({ fetcher }: Stock, now: number, out: Action[]): void {
    const { gossip, neighbours } = this.#links;
    for (const source of fetcher.overdue(now)) {
      fetcher.withdraw(source, out);
      gossip.doubt(source.node, now, out);
      if (source.strikes <= 2) continue;
      neighbours.avoid(source.node, now);
      out.push({ kind: 'close', conn: source.conn, why: 'does not deliver' });
    }
  }

  /** @returns the address that was dialled, when it is a source that is shut out */
  #punish(conn: ConnectionId, why: string, firstMs: number, now: number): Address | undefined {
    const node = this.#nodeOf(conn);
    const sentence = node === undefined ? undefined : this.#links.discipline.punish(conn, node, why, firstMs, now);
    if (node === undefined || sentence === undefined) return undefined;
    const { address, isSource, time, isNews } = sentence;
    if (isNews) {
      this.#links.say(`${formatNode(node)} at ${address} ${why}: shut out for ${Math.round(time / 1000)} s`);
    }
    return isSource ? address : undefined;
  }

  #nodeOf(conn: ConnectionId): NodeId | undefined {
    const { admission, neighbours } = this.#links;
    return admission.guests.get(conn)?.node ?? neighbours.nodeOf(conn);
  }
}

/** What is wanted of others; undefined: anything. */
function interestOf({ duty, reads }: Pick<Stock, 'duty' | 'reads'>): ChunkSet | undefined {
  return duty === undefined || reads.length > 0 ? undefined : duty.chunks;
}
