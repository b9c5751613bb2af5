import type { Address } from '../../wire/address.ts';
import type { Pointer } from '../../wire/frame.ts';
import type { NodeId } from '../../wire/record.ts';

/** Others that each getter of a chunk is pointed at by: a binary tree. */
const WIDTH = 2;
const TREES = 4096;

interface Getter {
  readonly node: NodeId;
  readonly address: Address;
}

/**
 * Who got a chunk from us, or was pointed at somebody who gets it: the next one of the same room is pointed at one of
 * these.
 */
export class Chains {
  /** In the order of last use. */
  readonly #trees = new Map<number, Getter[]>();

  /** Whether anybody of a room has got a chunk from us. */
  isKnown(chunk: number, room: number): boolean {
    return this.#trees.has(keyOf(chunk, room));
  }

  /** Points a client at somebody who has got the chunk, or is getting it, and counts it among those from then on. */
  pointer(chunk: number, room: number, { node, address }: Getter): Pointer | undefined {
    const tree = this.#trees.get(keyOf(chunk, room));
    if (tree === undefined || tree.some((getter) => getter.node === node)) return undefined;
    const parent = tree[Math.floor((tree.length - 1) / WIDTH)];
    if (parent === undefined) return undefined;
    tree.push({ node, address });
    return { chunk, node: parent.node, address: parent.address };
  }

  given(chunk: number, room: number, { node, address }: Getter): void {
    const key = keyOf(chunk, room);
    const tree = this.#trees.get(key) ?? [];
    if (!tree.some((getter) => getter.node === node)) tree.push({ node, address });
    // The tree not asked about for the longest time goes.
    this.#trees.delete(key);
    this.#trees.set(key, tree);
    if (this.#trees.size <= TREES) return;
    for (const oldest of this.#trees.keys()) {
      this.#trees.delete(oldest);
      return;
    }
  }
}

/** Rooms are 32 bits, chunks 21: no image has more than 2 million. */
function keyOf(chunk: number, room: number): number {
  return room * 2 ** 21 + chunk;
}
