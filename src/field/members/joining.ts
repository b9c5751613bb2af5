import type { Address } from '../wire/address.ts';

/** Joins are repeated until somebody answers: soon at first, for a machine that waits for its root. */
const JOIN_FIRST_MS = 200;
const JOIN_LAST_MS = 500;
/** A named peer that a member misses, and everybody by multicast, are called so often: fields that were apart meet. */
const CALL_MS = 30_000;

/** Of peers that it was told of while it runs, the last ones are called for as long as they are missing. */
const MOST_TOLD = 16;

/** Who is to be sent a Join. */
export interface Calls {
  readonly peers: readonly Address[];
  readonly everybody: boolean;
}

/** When this node asks to be let in, and whom: everybody until one answers, from then on those it misses. */
export class Joining {
  #peers: readonly Address[];
  readonly #named: number;
  readonly #random: () => number;
  #missing: readonly Address[];
  #isIn = false;
  #joinAt = 0;
  #joinEvery = JOIN_FIRST_MS;
  #callAt = 0;

  /** @param peers named ones: asked for as long as they are not in the table */
  constructor(peers: readonly Address[], random: () => number) {
    this.#peers = peers;
    this.#missing = peers;
    this.#named = peers.length;
    this.#random = random;
  }

  /** A node that somebody has told of since, and that is not in the table. @returns whether it is new */
  add(peer: Address, now: number): boolean {
    if (this.#peers.includes(peer)) return false;
    const told = [...this.#peers.slice(this.#named), peer];
    const kept = [...this.#peers.slice(0, this.#named), ...told.slice(-MOST_TOLD)];
    this.#missing = [...this.#missing.filter((one) => kept.includes(one)), peer];
    this.#peers = kept;
    this.#joinAt = now;
    this.#joinEvery = JOIN_FIRST_MS;
    return true;
  }

  /** Whether any other node has answered yet. */
  get isIn(): boolean {
    return this.#isIn;
  }

  start(now: number): void {
    this.#joinAt = now;
    this.#callAt = now + this.#callAfter();
  }

  answered(): void {
    if (!this.#isIn) this.#joinEvery = JOIN_FIRST_MS;
    this.#isIn = true;
  }

  /** A node has come or gone at an address. */
  look(address: Address, isPresent: boolean): void {
    if (!this.#peers.includes(address)) return;
    this.#missing = this.#missing.filter((peer) => peer !== address);
    if (!isPresent) this.#missing = [...this.#missing, address];
  }

  nextAt(): number {
    return this.#mustJoin() ? Math.min(this.#joinAt, this.#callAt) : this.#callAt;
  }

  /** @param hasIndex who has none yet is waiting; a member that only misses a peer is not */
  due(now: number, hasIndex: boolean): Calls {
    const isJoin = this.#mustJoin() && now >= this.#joinAt;
    const isCall = now >= this.#callAt;
    if (isJoin) {
      this.#joinAt = now + this.#joinEvery * (0.75 + 0.5 * this.#random());
      this.#joinEvery = Math.min(this.#joinEvery * 1.5, this.#isIn && hasIndex ? CALL_MS : JOIN_LAST_MS);
    }
    if (isCall) this.#callAt = now + this.#callAfter();
    return { peers: isJoin ? this.#missing : [], everybody: isCall || (isJoin && !this.#isIn) };
  }

  #mustJoin(): boolean {
    return !this.#isIn || this.#missing.length > 0;
  }

  #callAfter(): number {
    return CALL_MS * (0.5 + this.#random());
  }
}
