import { setTimeout as sleep } from 'node:timers/promises';
import type { CarriedChunks, NamedChunk } from '../../image/carried-chunks.ts';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import { CarriedLayer } from './carried-layer.ts';
import { ChunkMemory } from './chunk-memory.ts';
import { type ChunkDirectory, type DiskEvents, DiskLayer } from './disk-layer.ts';
import { type Medium, MediumLayer } from './medium-layer.ts';
import { Twins } from './twins.ts';

export interface HolderOptions {
  readonly index: ChunkIndex;
  /** Bytes of chunks that may be in memory. */
  readonly memoryBytes: number;
  readonly medium: Medium | undefined;
  readonly store: ChunkDirectory | undefined;
  /** What the system before had in memory; only where chunks are kept there. */
  readonly carried?: CarriedChunks | undefined;
  readonly events: HolderEvents;
}

export interface HolderEvents extends DiskEvents {
  /** Chunks that are here after all. */
  readonly found: (chunks: readonly number[]) => void;
}

/** Bytes of a directory's or medium's chunks kept in memory as well, and so many chunks at least. */
const CACHED_BYTES = 8 << 20;
const CACHED_LEAST = 4;
/** A directory that has not given a chunk by then is not waited for any longer. */
const LATE_MS = 2000;

/** Everything this node holds, layer by layer: memory, a directory, the medium the image came on. */
export class ChunkHolder {
  readonly memory: ChunkMemory;
  readonly twins: Twins;
  /** All of the image may be in memory. */
  readonly isWhole: boolean;
  readonly #index: ChunkIndex;
  readonly #disk: DiskLayer | undefined;
  readonly #carried: CarriedLayer | undefined;
  #medium: MediumLayer | undefined;
  /** Chunks in memory only because they were read from elsewhere: the oldest go. */
  readonly #cached = new Map<number, number>();
  #cachedBytes = 0;
  readonly #loading = new Map<number, Promise<Uint8Array>>();
  #bytesFromLostMedium = 0;
  readonly #found: (chunks: readonly number[]) => void;

  constructor({ index, memoryBytes, medium, store, carried, events }: HolderOptions) {
    this.#index = index;
    this.#found = events.found;
    this.twins = new Twins(index);
    this.#medium = medium && new MediumLayer(medium, index, this.twins);
    this.#disk = store && new DiskLayer(store, index, this.twins, events);
    this.#carried = carried && new CarriedLayer(carried, index, this.twins);
    this.isWhole = memoryBytes >= index.size;
    this.memory = new ChunkMemory(index, this.isWhole);
  }

  get bytesFromMedium(): number {
    return this.#medium?.bytesRead ?? this.#bytesFromLostMedium;
  }

  /** Chunks held at the start: all with a medium, else none until a directory has been searched. */
  *initial(): Generator<number> {
    if (this.#medium === undefined) return;
    for (let chunk = 0; chunk < this.#index.count; chunk++) yield chunk;
  }

  /** Chunks that the system before had in memory and that are not in this one's yet; of equal ones the first. */
  get carried(): readonly number[] {
    return this.#carried?.chunks ?? [];
  }

  isCarried(chunk: number): boolean {
    return this.#carried?.has(chunk) === true;
  }

  /** All that lies in memory, for the system after this one; of equal chunks one. */
  async *toCarry(): AsyncGenerator<NamedChunk, void, void> {
    for (let chunk = 0; chunk < this.#index.count; chunk++) {
      const isHere = this.memory.has(chunk) || this.isCarried(chunk);
      if (!isHere || this.twins.firstOf(chunk) !== chunk) continue;
      const bytes = await Promise.try(() => this.load(chunk)).catch(() => undefined); // it is fetched again
      if (bytes !== undefined) yield { digest: this.#index.digest(chunk), bytes };
    }
  }

  /** What a directory has from an earlier life. */
  async searchDisk(onFound: (chunks: readonly number[]) => void): Promise<void> {
    if (this.#medium === undefined) await this.#disk?.search(onFound);
  }

  get isSearching(): boolean {
    return this.#medium === undefined && this.#disk?.isSearched === false;
  }

  /** Of some chunks that a read wants, those that lie in the directory and have not been found yet. */
  async look(start: number, end: number): Promise<readonly number[]> {
    const found: number[] = [];
    for (let chunk = start; chunk < end; chunk++) if ((await this.#disk?.look(chunk)) === true) found.push(chunk);
    return found;
  }

  /** The chunk at once when it is in memory, else a promise of it. */
  load(chunk: number): Uint8Array | Promise<Uint8Array> {
    const here = this.memory.get(chunk) ?? this.#disk?.writing(chunk);
    if (here !== undefined) return here;
    const loading = this.#loading.get(chunk);
    if (loading !== undefined) return loading;
    const started = this.#read(chunk).finally(() => this.#loading.delete(chunk));
    this.#loading.set(chunk, started);
    return started;
  }

  /**
   * Keeps a verified chunk.
   * @param isLasting as long as there is room; else it is here for the reads that need it, and for them memory will do.
   * What was here for a while may come to last.
   */
  keep(chunk: number, bytes: Uint8Array, isLasting: boolean): void {
    if (this.#disk === undefined || !isLasting) {
      this.#uncache(chunk);
      this.memory.put(chunk, bytes);
      return;
    }
    this.#cache(chunk, bytes);
    this.#disk.keep(chunk, bytes);
  }

  /** What waits for a slow disk; undefined: there is no directory. */
  get waiting(): { readonly bytes: number; readonly chunks: number } | undefined {
    return this.#disk?.waiting;
  }

  /** Settles when nothing waits to be written. */
  async written(): Promise<void> {
    await this.#disk?.idle();
  }

  drop(chunk: number): void {
    this.#uncache(chunk);
    this.memory.drop(chunk);
    this.#carried?.drop(chunk);
    this.#disk?.drop(chunk);
  }

  /**
   * To be asked when the medium has failed: the chunks that went with it, when it has been taken out. From then on it is
   * not asked any more.
   */
  async lostWithMedium(): Promise<readonly number[]> {
    const medium = this.#medium;
    if (medium === undefined) return [];
    const only: number[] = [];
    for (let chunk = 0; chunk < this.#index.count; chunk++) {
      // What is merely cached will be let go without anybody being told.
      const isKept = (this.isWhole && this.memory.has(chunk)) || this.#disk?.isKept(chunk) === true;
      if (!isKept) only.push(chunk);
    }
    if (await medium.isThere(only)) return [];
    this.#bytesFromLostMedium = medium.bytesRead;
    this.#medium = undefined;
    return only;
  }

  async #read(chunk: number): Promise<Uint8Array> {
    if (this.isCarried(chunk)) return await this.#takeCarried(chunk);
    const stored = this.#disk?.has(chunk) === true ? await this.#readStored(chunk, this.#disk) : undefined;
    const bytes = stored ?? (await this.#medium?.read(chunk));
    if (bytes === undefined) throw new Error(`chunk ${chunk} is not here any more`);
    this.#cache(chunk, bytes);
    return bytes;
  }

  /** @throws Error when it takes long: then it is told of as found when it has come, and others are asked meanwhile */
  async #readStored(chunk: number, disk: DiskLayer): Promise<Uint8Array | undefined> {
    const reading = disk.read(chunk);
    const patience = new AbortController();
    const late = sleep(LATE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
    const came = await Promise.race([reading.then((bytes) => ({ bytes })), late]).finally(() => patience.abort());
    if (came !== undefined) return came.bytes;
    reading.then(
      (bytes) => {
        if (bytes === undefined) return;
        this.#cache(chunk, bytes);
        this.#found([chunk]);
      },
      () => {}, // it comes from others
    );
    throw new Error(`the disk has not given it in ${LATE_MS / 1000} s`);
  }

  /** From where the system before left it into memory, to stay there. */
  async #takeCarried(chunk: number): Promise<Uint8Array> {
    try {
      const bytes = (await this.#carried?.read(chunk)) ?? new Uint8Array(0);
      // What is the same bytes comes with it, as it is held with it.
      for (const each of [chunk, ...this.twins.othersOf(chunk)]) this.memory.put(each, bytes);
      return bytes;
    } finally {
      this.#carried?.drop(chunk);
    }
  }

  /** The whole image fits: what was read once stays. Else the last few chunks do. */
  #cache(chunk: number, bytes: Uint8Array): void {
    this.memory.put(chunk, bytes);
    if (this.isWhole) return;
    this.#uncache(chunk);
    this.#cached.set(chunk, bytes.length);
    this.#cachedBytes += bytes.length;
    for (const oldest of this.#cached.keys()) {
      if (this.#cachedBytes <= CACHED_BYTES || this.#cached.size <= CACHED_LEAST) return;
      this.#uncache(oldest);
      this.memory.drop(oldest);
    }
  }

  #uncache(chunk: number): void {
    this.#cachedBytes -= this.#cached.get(chunk) ?? 0;
    this.#cached.delete(chunk);
  }
}
