import type { Action } from '../../event.ts';
import type { Gossip } from '../../members/gossip.ts';
import type { Neighbours } from '../connections/neighbours.ts';
import type { Keeper, KeptStock } from './keeper.ts';

/** A leaving node gives up when nothing has been taken off it for so long. */
const STALL_MS = 5000;
const LIMIT_MS = 30_000;
/**
 * Where nobody else holds all, nodes drop chunks because of one another: so long it takes until everybody knows that
 * this one no longer counts, and until this one knows what was dropped because of it.
 */
const SETTLE_MS = 4000;

export interface LeavingLinks {
  readonly gossip: Gossip;
  readonly neighbours: Neighbours;
  readonly data: () => KeptStock | undefined;
  readonly say: (text: string) => void;
}

/** A node that has been told to leave: says so, hands over, and says goodbye. */
export class Leaving {
  readonly #links: LeavingLinks;
  #departure: Departure | undefined;

  constructor(links: LeavingLinks) {
    this.#links = links;
  }

  get isOn(): boolean {
    return this.#departure !== undefined;
  }

  begin(now: number, out: Action[]): void {
    if (this.#departure !== undefined) return;
    this.#departure = new Departure(this.#links.data()?.keeper, now);
    const { left } = this.#departure;
    if (left > 0) this.#links.say(`leaving: ${left} chunks are held nowhere else yet`);
    this.#links.gossip.leaving(now, out);
    this.goOn(now, out);
  }

  goOn(now: number, out: Action[]): void {
    if (this.#departure === undefined) return;
    const { gossip, neighbours, data, say } = this.#links;
    const { keeper, giver } = data() ?? {};
    // What others hold is to be known exactly now.
    for (const node of keeper?.partHolders() ?? []) neighbours.want(node);
    if (!this.#departure.mayGo(keeper, giver?.sent ?? 0, gossip.table.size, now)) return;
    const { left } = this.#departure;
    if (left > 0) say(`leaving: the field loses ${left} chunks that only this node holds`);
    gossip.leave(out);
    out.push({ kind: 'gone' });
  }
}

/** How a node leaves well: what only it holds goes to others first, within a bounded time. */
class Departure {
  readonly #since: number;
  #left: number;
  #sent = 0;
  #progressAt: number;

  constructor(keeper: Keeper | undefined, now: number) {
    this.#since = now;
    this.#progressAt = now;
    this.#left = keeper?.onlyHere() ?? 0;
  }

  /** Chunks that were held nowhere else when it was last looked. */
  get left(): number {
    return this.#left;
  }

  /**
   * Whether the node may go now.
   * @param sent bytes given so far
   * @param members nodes in the field
   */
  mayGo(keeper: Keeper | undefined, sent: number, members: number, now: number): boolean {
    const left = keeper?.onlyHere() ?? 0;
    // What was given is known from the table only when its new holders have told of it.
    if (left < this.#left || sent > this.#sent) this.#progressAt = now;
    this.#left = left;
    this.#sent = sent;
    if (members < 2) return true;
    if (left > 0) return now - this.#progressAt > STALL_MS || now - this.#since > LIMIT_MS;
    return now - this.#since >= SETTLE_MS || keeper?.isAnotherComplete() !== false;
  }
}
