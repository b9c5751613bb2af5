import { setTimeout as sleep } from 'node:timers/promises';
import type { ChunkIndex } from '../image/chunk-index.ts';
import { FieldNode } from './node.ts';
import { type Limits, NO_LIMITS } from './shares/limits.ts';
import type { Address } from './wire/address.ts';
import type { FieldKey } from './wire/key.ts';

export interface FieldSample {
  /** Our own address, where we listen meanwhile. */
  readonly host: string;
  readonly index: ChunkIndex;
  readonly peers: readonly Address[];
  readonly key: FieldKey | undefined;
  readonly limits?: Limits;
}

/** Enough for a peer's link to show; read ahead keeps several chunks on their way. */
const SAMPLE_BYTES = 4 << 20;
const PIECE_BYTES = 256 << 10;
/** A slow field is seen as slow by then. */
const BUDGET_MS = 1000;
/** Others are told that it goes; they would find it out. */
const LEAVE_MS = 500;

/**
 * How fast a field gives its image, in bytes per second: joins it for a moment and reads a part of the image, each chunk
 * verified.
 * @param signal ends it, when nothing comes
 * @throws what `signal` aborts with; the system's error when there is no socket to be had
 */
export async function measureField(
  { host, index, peers, key, limits = NO_LIMITS }: FieldSample,
  signal: AbortSignal,
): Promise<number> {
  const node = await FieldNode.start({
    id: index.id,
    name: '',
    index,
    listen: { host, port: 0 },
    peers,
    multicast: false,
    keep: SAMPLE_BYTES,
    readsFirst: true,
    key,
    limits,
    log: () => {},
  });
  try {
    const { source } = node;
    const end = Math.min(index.size, SAMPLE_BYTES);
    let offset = 0;
    const readPiece = async (): Promise<number> => {
      const length = Math.min(PIECE_BYTES, end - offset);
      await source.read(offset, length, signal);
      offset += length;
      return length;
    };
    // Until the first piece is there, it is the handshakes that take the time.
    await readPiece();
    const begun = performance.now();
    let bytes = 0;
    while (offset < end && performance.now() - begun < BUDGET_MS) bytes += await readPiece();
    return bytes / (Math.max(performance.now() - begun, 0.1) / 1000);
  } finally {
    await Promise.race([node.leave(), sleep(LEAVE_MS)]);
    node.close();
  }
}
