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

/** Who got a chunk from us, or was pointed at somebody who gets it: the next one is pointed at one of these. */
export class Chains {
  /** In the order of last use. */
  readonly #trees = new Map<number, Getter[]>();

  /** Points a client at somebody who has got the chunk, or is getting it, and counts it among those from then on. */
  pointer(chunk: number, { node, address }: Getter): Pointer | undefined {
    const tree = this.#trees.get(chunk);
    if (tree === undefined || tree.some((getter) => getter.node === node)) return undefined;
    const parent = tree[Math.floor((tree.length - 1) / WIDTH)];
    if (parent === undefined) return undefined;
    tree.push({ node, address });
    return { chunk, node: parent.node, address: parent.address };
  }

  given(chunk: number, { node, address }: Getter): void {
    const tree = this.#trees.get(chunk) ?? [];
    if (!tree.some((getter) => getter.node === node)) tree.push({ node, address });
    // The tree not asked about for the longest time goes.
    this.#trees.delete(chunk);
    this.#trees.set(chunk, tree);
    if (this.#trees.size <= TREES) return;
    for (const oldest of this.#trees.keys()) {
      this.#trees.delete(oldest);
      return;
    }
  }
}
