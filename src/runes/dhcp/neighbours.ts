import { isIPv4 } from 'node:net';
import { fetchText } from '../fetch-text.ts';
import type { Candidate } from './election.ts';
import { MOST_NEIGHBOURS, NEIGHBOUR_PATH, type NeighbourWord, parseNeighbour } from './neighbour-word.ts';

/** Asked in each look around; who is silent so often in a row has gone. */
const MOST_SILENT = 2;
const ANSWER_MS = 1500;
/** An address where nobody answers as a neighbour is asked again after this. */
const AGAIN_MS = 10_000;
/** Its mark was heard within this time: three questions. */
const HEARD_MS = 50_000;
const LARGEST_WORD = 1 << 20;

interface Known {
  word: NeighbourWord;
  silent: number;
}

type Fetch = (host: string) => Promise<string>;

const fetchWord: Fetch = (host) => fetchText(host, NEIGHBOUR_PATH, ANSWER_MS, LARGEST_WORD);

/**
 * The first machines of other clusters on this wire. They find each other without multicast: who stands by hears the mark
 * in DHCP of the one that serves, and asks it; who serves knows those that ask.
 */
export class Neighbours {
  readonly #known = new Map<string, Known>();
  /** Addresses that may be one, and from when on they are asked. */
  readonly #hints = new Map<string, number>();
  /** When each address' mark was heard in DHCP. */
  readonly #heardMs = new Map<string, number>();
  readonly #fetch: Fetch;
  #own: ReadonlySet<string> = new Set();

  constructor(fetch: Fetch = fetchWord) {
    this.#fetch = fetch;
  }

  /** What each said the last time. */
  get words(): readonly NeighbourWord[] {
    return [...this.#known.values()].map(({ word }) => word);
  }

  /** Whether one was silent the last time: look again at once. */
  get isInDoubt(): boolean {
    return [...this.#known.values()].some(({ silent }) => silent > 0);
  }

  /** Somebody whose word is wanted: its mark was heard, or it asked for ours. */
  hint(address: string, nowMs: number): void {
    if (!isIPv4(address) || this.#known.has(address) || this.#hints.has(address)) return;
    if (this.#hints.size < 2 * MOST_NEIGHBOURS) this.#hints.set(address, nowMs);
  }

  /** These servers of VIVER's answered in DHCP just now. */
  hear(servers: readonly string[], nowMs: number): void {
    for (const [address, heardMs] of this.#heardMs) if (nowMs - heardMs > HEARD_MS) this.#heardMs.delete(address);
    for (const server of servers.slice(0, MOST_NEIGHBOURS)) {
      this.#heardMs.set(server, nowMs);
      this.hint(server, nowMs);
    }
  }

  /** Nothing is known any more: another machine of this cluster looks after them. */
  forget(): void {
    this.#known.clear();
    this.#hints.clear();
  }

  /**
   * Asks all of them.
   * @param own addresses of this cluster's machines, which are none
   * @returns whether one is new
   */
  async look(own: ReadonlySet<string>, nowMs: number): Promise<boolean> {
    for (const address of own) {
      this.#known.delete(address);
      this.#hints.delete(address);
    }
    this.#own = own;
    const before = this.#known.size;
    const due = [...this.#hints].filter(([, fromMs]) => fromMs <= nowMs).map(([address]) => address);
    await Promise.all([...new Set([...this.#known.keys(), ...due])].map((address) => this.#ask(address, nowMs)));
    return this.#known.size > before;
  }

  async #ask(address: string, nowMs: number): Promise<void> {
    try {
      const word = parseNeighbour(await this.#fetch(address), address);
      if (!this.#known.has(address) && this.#known.size >= MOST_NEIGHBOURS) return;
      this.#hints.delete(address);
      this.#known.set(address, { word, silent: 0 });
      for (const other of word.others) if (!this.#own.has(other)) this.hint(other, nowMs);
    } catch {
      // gone, or none: anybody may be at an address
      const known = this.#known.get(address);
      if (known === undefined) {
        this.#tryLater(address, nowMs);
      } else if (++known.silent >= MOST_SILENT) {
        this.#known.delete(address);
        this.#tryLater(address, nowMs);
      }
    }
  }

  /** As long as its mark is heard; otherwise it comes by itself. */
  #tryLater(address: string, nowMs: number): void {
    this.#hints.delete(address);
    if (this.#heardMs.has(address)) this.#hints.set(address, nowMs + AGAIN_MS);
  }

  /**
   * For the election between clusters, by their MACs. One that says it serves while nothing of it is heard in DHCP does
   * not: nobody may leave the wire to words alone.
   */
  candidates(nowMs: number): readonly Candidate[] {
    return this.words.map(({ address, mac, role, mode }) => ({
      id: mac,
      role,
      canServe: false, // who does not serve is not waited for
      isServing: mode !== 'standby' && nowMs - (this.#heardMs.get(address) ?? Number.NEGATIVE_INFINITY) < HEARD_MS,
    }));
  }
}
