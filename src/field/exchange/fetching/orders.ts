import type { ConnectionId, Lengths } from '../../event.ts';
import { ChunkSet } from '../../wire/chunk-set.ts';
import type { Order, Source } from './source.ts';

/** Which chunks are on order, and where. Of chunks that are the same bytes none is ordered while another one is. */
export class Orders {
  /** Chunks on order somewhere, and those that are the same bytes. */
  readonly chunks: ChunkSet;
  readonly #lengths: Lengths;
  readonly #sources: ReadonlyMap<ConnectionId, Source>;

  constructor(lengths: Lengths, sources: ReadonlyMap<ConnectionId, Source>) {
    this.#lengths = lengths;
    this.#sources = sources;
    this.chunks = new ChunkSet(lengths.count);
  }

  place(source: Source, chunk: number, urgent: boolean, at: number, isSpare = false): Order {
    this.end(source, chunk);
    const order = { at, urgent, bytes: this.#lengths.length(chunk), isSpare, arriving: false };
    source.orders.set(chunk, order);
    source.bytesOnOrder += order.bytes;
    if (isSpare) source.spareOrders++;
    this.chunks.add(chunk);
    for (const twin of this.#lengths.othersLike?.(chunk) ?? []) this.chunks.add(twin);
    return order;
  }

  end(source: Source, chunk: number): void {
    const order = source.orders.get(chunk);
    if (order === undefined) return;
    source.orders.delete(chunk);
    source.bytesOnOrder -= order.bytes;
    if (order.isSpare) source.spareOrders--;
    this.#unmark(chunk);
  }

  /** A source is gone, and with it what was on order there. */
  forget(source: Source): void {
    for (const chunk of source.orders.keys()) this.#unmark(chunk);
  }

  #unmark(chunk: number): void {
    const twins = [chunk, ...(this.#lengths.othersLike?.(chunk) ?? [])];
    for (const source of this.#sources.values()) if (twins.some((each) => source.orders.has(each))) return;
    for (const each of twins) this.chunks.delete(each);
  }
}
