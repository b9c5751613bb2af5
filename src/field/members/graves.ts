import type { NodeId } from '../wire/record.ts';

/** How long a tombstone keeps old records out. */
const GRAVE_MS = 600_000;

/** Since when which nodes are thought gone. */
export class Graves {
  readonly #since = new Map<NodeId, number>();

  dig(node: NodeId, now: number): void {
    this.#since.set(node, now);
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
