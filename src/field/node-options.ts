import type { CarriedChunks } from '../image/carried-chunks.ts';
import type { ChunkIndex } from '../image/chunk-index.ts';

import type { Origins } from './origin/origins.ts';
import type { Limits } from './shares/limits.ts';
import type { Refusals } from './shares/refusals.ts';
import type { ChunkDirectory } from './store/disk-layer.ts';
import type { Medium } from './store/medium-layer.ts';
import type { PaperRules } from './store/paper-box.ts';
import type { Address, Endpoint } from './wire/address.ts';
import type { FieldKey } from './wire/key.ts';
import type { Papers } from './wire/papers.ts';
import type { NodeId } from './wire/record.ts';

export interface FieldNodeOptions {
  /** The image id, 64 hex digits. */
  readonly id: string;
  /** What people call the image. */
  readonly name: string;
  /** Known when the image is here; else it comes from the peers, checked against the id. */
  readonly index?: ChunkIndex | undefined;
  readonly medium?: Medium | undefined;
  readonly store?: ChunkDirectory | undefined;
  /** What the system before had in memory. Without a store and a medium only. */
  readonly carried?: CarriedChunks | undefined;
  readonly listen: Endpoint;
  readonly peers: readonly Address[];
  readonly multicast: boolean;
  /** Bytes of chunks to keep. */
  readonly keep: number;
  /** This machine runs from the field: what it keeps for others waits until it reads no more. */
  readonly readsFirst?: boolean;
  readonly key?: FieldKey | undefined;
  readonly node?: NodeId | undefined;
  readonly origins?: Origins | undefined;
  readonly limits?: Limits;
  /** The room that this machine is in (`roomNumber`); 0, and undefined: nobody said. */
  readonly room?: number;
  /** Whom this node has nothing to do with; changed by `refuse` and `admit` from then on. */
  readonly refusals?: Refusals;
  /** What is signed, from files of this machine, for others. */
  readonly papers?: Papers;
  /** Of an index that comes from others and of releases: whose word counts. */
  readonly rules?: PaperRules;
  readonly log: (line: string) => void;
}
