import type { Action, FieldEvent } from '../../event.ts';
import type { Neighbours } from '../connections/neighbours.ts';
import type { OriginOrders } from '../connections/origin-orders.ts';
import type { ProfileExchange } from '../index/profile-exchange.ts';
import type { Stock } from '../stock.ts';
import { LookAhead } from './look-ahead.ts';

export interface ForesightLinks {
  readonly profiles: ProfileExchange;
  readonly neighbours: Neighbours;
  readonly origins: OriginOrders;
  readonly stock: () => Stock | undefined;
  readonly say: (text: string) => void;
}

type ForesightEvent = Extract<FieldEvent['kind'], 'agenda' | 'first read' | 'seek profile' | 'give profile'>;

/** What this machine's boot will read, as far as boots before it tell: asked for at peers, and fetched ahead. */
export class Foresight {
  readonly #links: ForesightLinks;
  #agenda: LookAhead | undefined;
  #isWrong = false;

  constructor(links: ForesightLinks) {
    this.#links = links;
  }

  /** The profile that was used last was let go, for others were read. */
  get isWrong(): boolean {
    return this.#isWrong;
  }

  take(event: FieldEvent & { readonly kind: ForesightEvent }, now: number, out: Action[]): void {
    const { profiles, neighbours, stock } = this.#links;
    const data = stock();
    switch (event.kind) {
      case 'seek profile':
        if (data !== undefined) profiles.seek(neighbours.connected(), now, out);
        return;
      case 'give profile':
        profiles.give(event.order, now, out);
        return;
      case 'agenda':
        if (data === undefined) return;
        this.#agenda = new LookAhead(data, event.order);
        this.#isWrong = false;
        break;
      case 'first read':
        this.#agenda?.read(event.chunk);
    }
    this.look(now, out);
  }

  /** What a boot will read next is wanted, too. */
  look(now: number, out: Action[]): void {
    const { origins, profiles, stock, say } = this.#links;
    const data = stock();
    if (data === undefined || this.#agenda === undefined) return;
    if (this.#agenda.fill()) origins.ask(data, now, out);
    if (!this.#agenda.isOver) return;
    this.#isWrong = this.#agenda.isWrong;
    say(this.#agenda.verdict);
    this.#agenda = undefined;
    if (this.#isWrong) profiles.wrong(out);
  }
}
