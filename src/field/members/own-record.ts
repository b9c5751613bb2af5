import { type Address, isUnspecified } from '../wire/address.ts';
import type { ChunkSet } from '../wire/chunk-set.ts';
import {
  LIFE_LIMIT,
  makeRecord,
  type NodeId,
  type NodeRecord,
  STATE_DOWN,
  STATE_UP,
  VERSION_LIMIT,
} from '../wire/record.ts';
import { emptySummary, type Summary, summarize, UNKNOWN } from '../wire/summary.ts';

/** What this node says of itself, and how it takes what others say of it. */
export class OwnRecord {
  readonly node: NodeId;
  readonly #room: number;
  #life: number;
  #version = 0;
  #state = STATE_UP;
  #address: Address;
  #chunks = 0;
  #held: ChunkSet | undefined;
  #share = 0;
  /** Of the version that is said: one version never says two things. */
  #summary: Summary = UNKNOWN;

  constructor(node: NodeId, life: number, address: Address, room = 0) {
    this.#room = room;
    this.node = node;
    this.#life = life;
    this.#address = address;
  }

  get address(): Address {
    return this.#address;
  }

  /** Chunks in the image; 0 until the index is known. */
  get chunks(): number {
    return this.#chunks;
  }

  get isDown(): boolean {
    return this.#state === STATE_DOWN;
  }

  /** @param share of the image that is kept for the field, in 255 parts of it */
  setHeld(chunks: number, held: ChunkSet, share: number): void {
    this.#chunks = chunks;
    this.#share = share;
    this.#held = held;
  }

  setState(state: number): void {
    this.#state = state;
  }

  /** Somebody tells from which address our datagrams come. True when that is news. */
  observed(address: Address): boolean {
    if (!isUnspecified(this.#address) || isUnspecified(address)) return false;
    this.#address = address.slice(0, address.lastIndexOf(':')) + this.#address.slice(this.#address.lastIndexOf(':'));
    return true;
  }

  /** Something has changed: what is said from now on supersedes what was said before. */
  bump(): void {
    this.#version++;
    if (this.#version >= VERSION_LIMIT) {
      // Only a claim of somebody else's can have brought it there.
      this.#life = nextLife(this.#life);
      this.#version = 1;
    }
    if (this.#held === undefined) this.#summary = UNKNOWN;
    else this.#summary = this.isDown ? emptySummary(this.#chunks) : summarize(this.#held, this.#share);
  }

  record(): NodeRecord {
    return makeRecord({
      node: this.node,
      life: this.#life,
      version: this.#version,
      state: this.#state,
      room: this.#room,
      address: this.#address,
      summary: this.#summary,
    });
  }

  /**
   * Others may think we are gone, or remember a life of ours whose clock was ahead of this one's.
   * @returns true when something newer must be said at once
   */
  hear(record: NodeRecord, published: number): boolean {
    if (this.#state === STATE_DOWN || record.life < this.#life) return false;
    if (record.life > this.#life) {
      this.#life = nextLife(record.life);
      this.#version = 0;
      return true;
    }
    const isWrong = record.version > this.#version || (record.state === STATE_DOWN && record.version >= published);
    if (isWrong) this.#version = Math.max(this.#version, record.version);
    return isWrong;
  }
}

/** At the limit there is no next one: then it is the highest version that counts. */
function nextLife(life: number): number {
  return Math.min(life + 1, LIFE_LIMIT - 1);
}
