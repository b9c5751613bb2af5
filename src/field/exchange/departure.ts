import type { Keeper } from './keeper.ts';

/** A leaving node gives up when nothing has been taken off it for so long. */
const STALL_MS = 5000;
const LIMIT_MS = 30_000;
/**
 * Where nobody else holds all, nodes drop chunks because of one another: so long it takes until everybody knows that
 * this one no longer counts, and until this one knows what was dropped because of it.
 */
const SETTLE_MS = 4000;

/** How a node leaves well: what only it holds goes to others first, within a bounded time. */
export class Departure {
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
