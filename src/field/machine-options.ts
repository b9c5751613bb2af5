import type { GossipOptions } from './members/gossip-options.ts';
import type { Limits } from './shares/limits.ts';

export interface MachineOptions extends Omit<GossipOptions, 'random'> {
  readonly random: () => number;
  /** Bytes of chunks to keep, those on a local medium not counted. */
  readonly keep: number;
  /** Fetch what the field holds least of in idle time. */
  readonly fill: boolean;
  /** This machine runs from the field: idle time begins when it has stopped reading, and not beside its reads. */
  readonly readsFirst?: boolean;
  /** There are origins to ask when no peer has a chunk. */
  readonly hasOrigin: boolean;
  readonly limits?: Limits;
  /** No index is asked for before a signature has been shown that may be one of it. */
  readonly mustBeSigned?: boolean;
}
