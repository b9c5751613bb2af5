import type { Action, ConnectionId } from '../../event.ts';
import { EFFORT, HostAccounts } from '../../shares/host-accounts.ts';
import { hostOf } from '../../wire/address.ts';
import type { ChunkRange } from '../../wire/chunk-set.ts';
import { type ControlFrame, isProfileWish, LAST_PIECE } from '../../wire/frame.ts';
import { countIn } from '../../wire/ranges.ts';
import type { Giver } from '../giving/giver.ts';
import type { IndexSeeker } from '../index/index-seeker.ts';
import type { IndexSpreader } from '../index/index-spreader.ts';
import type { PaperSeeker } from '../index/paper-seeker.ts';
import type { ProfileExchange } from '../index/profile-exchange.ts';
import type { Stock } from '../stock.ts';
import type { Guest } from './admission.ts';
import type { Neighbours } from './neighbours.ts';

/** What a frame costs beside the chunks that it names. */
const FRAME_COST = 32;
/** It asks for up to 64 KiB. */
const PAPERS_COST = 4096;
/** Likewise, and it is asked for once. */
const PROFILE_COST = 65_536;

export interface DialogueLinks {
  readonly guests: ReadonlyMap<ConnectionId, Guest>;
  readonly neighbours: Neighbours;
  readonly indexes: IndexSpreader;
  readonly indexSeeker: IndexSeeker;
  readonly paperSeeker: PaperSeeker;
  readonly profiles: ProfileExchange;
  readonly stock: () => Pick<Stock, 'fetcher' | 'giver' | 'lengths'> | undefined;
  /** Chunks that a source has not got, and will not have. */
  readonly lacked?: (conn: ConnectionId, ranges: readonly ChunkRange[], now: number) => void;
  readonly ban: (conn: ConnectionId, why: string, now: number, out: Action[]) => void;
}

/**
 * What is said on connections besides chunks: on those we dialled the other side gives, on those we accepted it fetches,
 * and each frame goes to whom it concerns.
 */
export class Dialogue {
  readonly #links: DialogueLinks;
  /** Who subscribed before there was anything to tell. */
  readonly #subscribed = new Set<ConnectionId>();
  readonly #effort = new HostAccounts(EFFORT);

  constructor(links: DialogueLinks) {
    this.#links = links;
  }

  /** The index is known: from now on there is something to tell. */
  begin(giver: Giver, out: Action[]): void {
    for (const conn of this.#subscribed) giver.subscribe(conn, out);
    this.#subscribed.clear();
  }

  closed(conn: ConnectionId): void {
    this.#subscribed.delete(conn);
  }

  frame(conn: ConnectionId, frame: ControlFrame, now: number, out: Action[]): void {
    const { guests, neighbours, indexSeeker, paperSeeker, profiles, stock, ban } = this.#links;
    const guest = guests.get(conn);
    const host = guest === undefined ? neighbours.hostOf(conn) : hostOf(guest.address);
    if (host !== undefined && !this.#effort.spend(host, costOf(frame, stock()?.lengths.count ?? 0), now)) {
      ban(conn, 'says more than anybody has to say', now, out);
      return;
    }
    if (guest !== undefined) {
      this.#fromGuest(conn, guest, frame, now, out);
      return;
    }
    const fetcher = stock()?.fetcher;
    switch (frame.kind) {
      case 'holdings':
        fetcher?.holdings(conn, frame.window);
        return;
      case 'have':
        fetcher?.have(conn, frame, now);
        return;
      case 'pointers':
        for (const { node, address } of frame.pointers) neighbours.pointed(node, address);
        fetcher?.pointers(conn, frame, now);
        return;
      case 'lack':
        this.#links.lacked?.(conn, frame.ranges, now);
        if (fetcher?.lacks(conn, frame) === true) ban(conn, 'lied about what it holds', now, out);
        return;
      case 'index at':
        // Asked again there, and here once more if nothing comes of it.
        indexSeeker.done(conn);
        for (const { node, address } of frame.others) neighbours.pointed(node, address);
        return;
      case 'refuse':
        for (const { node, address } of frame.others) neighbours.pointed(node, address);
        neighbours.refused(conn, now);
        return;
      case 'papers':
        if (paperSeeker.arrived(conn)) out.push({ kind: 'take papers', papers: frame });
        else out.push({ kind: 'close', conn, why: 'shows what nobody asked to see' });
        return;
      case 'profile': {
        const fault = profiles.arrived(
          conn,
          { boots: frame.boots, runs: frame.runs },
          stock()?.lengths.count ?? 0,
          out,
        );
        if (fault !== undefined) ban(conn, fault, now, out);
        return;
      }
      default:
        out.push({ kind: 'close', conn, why: `'${frame.kind}' is not for the side that gives` });
    }
  }

  #fromGuest(conn: ConnectionId, guest: Guest, frame: ControlFrame, now: number, out: Action[]): void {
    const { indexes, profiles, stock, ban } = this.#links;
    const giver = stock()?.giver;
    switch (frame.kind) {
      case 'subscribe':
        indexes.done(conn);
        if (giver === undefined) this.#subscribed.add(conn);
        else if (!giver.subscribe(conn, out)) ban(conn, 'subscribed twice', now, out);
        return;
      case 'get':
        if (isProfileWish(frame)) profiles.wished(conn, now, out);
        else if (giver?.get(conn, frame, now, out) === false) ban(conn, 'asks for too much at once', now, out);
        return;
      case 'cancel':
        giver?.cancel(conn, frame.ranges);
        return;
      case 'got':
        giver?.got(conn, frame.count, now);
        return;
      case 'get index':
        if (frame.piece === LAST_PIECE) indexes.ask(conn, guest, giver !== undefined, now, out);
        else if (giver !== undefined) indexes.askMore(conn, guest, frame.piece, now, out);
        return;
      case 'get papers':
        out.push({ kind: 'give papers', conn });
        return;
      default:
        out.push({ kind: 'close', conn, why: `'${frame.kind}' is not for the side that fetches` });
    }
  }
}

/** What a frame has us do: something for itself, and something for each chunk that it names. */
function costOf(frame: ControlFrame, chunks: number): number {
  const within = (ranges: readonly ChunkRange[]): number => Math.min(countIn(ranges), chunks);
  switch (frame.kind) {
    case 'get':
      if (isProfileWish(frame)) return PROFILE_COST;
      // What is left to us to choose is not gone through one by one.
      return FRAME_COST + (frame.choose ? frame.ranges.length : within(frame.ranges));
    case 'cancel':
    case 'lack':
      return FRAME_COST + within(frame.ranges);
    case 'have':
      return FRAME_COST + within(frame.added) + within(frame.removed);
    case 'get papers':
      return PAPERS_COST;
    case 'profile':
      return FRAME_COST + within(frame.runs);
    case 'holdings':
      // Taken in by words, most of the time.
      return FRAME_COST + frame.window.size / 8;
    default:
      return FRAME_COST;
  }
}
