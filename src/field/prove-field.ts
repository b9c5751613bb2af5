import { setTimeout as sleep } from 'node:timers/promises';
import type { ChunkIndex } from '../image/chunk-index.ts';
import { FieldNode } from './node.ts';
import type { Limits } from './shares/limits.ts';
import type { PaperRules } from './store/paper-box.ts';
import type { Address } from './wire/address.ts';
import type { FieldKey } from './wire/key.ts';
import type { Papers } from './wire/papers.ts';

export interface FieldClaim {
  /** Our own address, where we listen meanwhile. */
  readonly host: string;
  /** Image id, 64 hex digits. */
  readonly id: string;
  readonly peers: readonly Address[];
  readonly key: FieldKey | undefined;
  readonly rules: PaperRules;
  readonly limits: Limits;
}

/** An image that is signed as it should be. */
export interface ProvenField {
  readonly index: ChunkIndex;
  readonly papers: Papers;
}

/** Who has let us in shows what it has at once; a lost packet is sent again by then, and so is a refused connection. */
const ANSWER_MS = 4000;
/** A signature of one of our keys is there: the index may be large and the link slow. */
const INDEX_MS = 60_000;
/** However often somebody promises what proves empty. */
const LONGEST_MS = 90_000;
const LOOK_MS = 25;
/** Others are told that it goes; they would find it out. */
const LEAVE_MS = 500;

/**
 * Joins a field for a moment, for its index and a signature of it by a key that counts.
 * @throws Error why there is none; what `signal` aborts with
 */
export async function proveField(
  { host, id, peers, key, rules, limits }: FieldClaim,
  signal: AbortSignal,
): Promise<ProvenField> {
  const node = await FieldNode.start({
    id,
    name: '',
    listen: { host, port: 0 },
    peers,
    multicast: false,
    keep: 0,
    readsFirst: true,
    key,
    rules,
    limits,
    log: () => {},
  });
  try {
    const beganMs = performance.now();
    let sinceMs = beganMs;
    let isPromised = false;
    for (;;) {
      signal.throwIfAborted();
      const now = performance.now();
      const { index, papers } = node;
      if (index !== undefined) return { index, papers: papers.papers };
      // A promise may prove empty, and one that was refused may not be the only one: the others have their time.
      if (papers.isPromising !== isPromised) {
        isPromised = papers.isPromising;
        sinceMs = now;
      }
      const isOver = now - beganMs > LONGEST_MS;
      if (!isPromised && (isOver || now - sinceMs > ANSWER_MS))
        throw new Error(papers.why ?? 'nobody there shows a signature');
      if (isPromised && (isOver || now - sinceMs > INDEX_MS))
        throw new Error(`its index did not come in ${Math.round((now - sinceMs) / 1000)} s`);
      await sleep(LOOK_MS, undefined, { signal });
    }
  } finally {
    await Promise.race([node.leave(), sleep(LEAVE_MS)]);
    node.close();
  }
}
