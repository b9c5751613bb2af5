import type { NodeId } from '../wire/record.ts';

/** How long a tombstone keeps old records out. */
const GRAVE_MS = 600_000;
/** Anybody can tell of thousands that are gone: so many are remembered. */
const GRAVES_LIMIT = 4096;

/** Since when which nodes are thought gone. */
export class Graves {
  readonly #since = new Map<NodeId, number>();

  /** @returns the node whose grave is given up for this one */
  dig(node: NodeId, now: number): NodeId | undefined {
    this.#since.delete(node);
    this.#since.set(node, now);
    if (this.#since.size <= GRAVES_LIMIT) return undefined;
    for (const oldest of this.#since.keys()) {
      this.#since.delete(oldest);
      return oldest;
    }
    return undefined;
  }

  /** The node lives after all. */
  close(node: NodeId): void {
    this.#since.delete(node);
  }

  /** Those whose time is over; each is given once. */
  forgotten(now: number): NodeId[] {
    const nodes: NodeId[] = [];
    for (const [node, at] of this.#since) {
      if (now < at + GRAVE_MS) continue;
      this.#since.delete(node);
      nodes.push(node);
    }
    return nodes;
  }
}
