/** Done at a time: more would take all of the threads that read files, and a disk that hangs would stop every other one. */
const AT_ONCE = 2;

export interface DiskTasks {
  /** The bytes of a chunk are to be written. */
  write(chunk: number, bytes: Uint8Array): Promise<void>;
  /** A chunk's file is to go. */
  remove(chunk: number): Promise<void>;
}

export interface DiskWorkEvents {
  /** `isCurrent`: nothing else has been wanted of that chunk since. */
  readonly written: (chunk: number, isCurrent: boolean) => void;
  readonly unwritten: (chunk: number, isCurrent: boolean, error: unknown) => void;
  readonly unremoved: (chunk: number, error: unknown) => void;
}

/**
 * What is to be done to the files of chunks, one after another: of each chunk only what was wanted last. The bytes that
 * wait are known, so that whoever brings more can stop.
 */
export class DiskWork {
  readonly #tasks: DiskTasks;
  readonly #events: DiskWorkEvents;
  /** What is to be done next to each chunk, the oldest first: bytes to write; undefined: its file is to go. */
  readonly #next = new Map<number, Uint8Array | undefined>();
  /** What is being done. */
  readonly #now = new Map<number, Uint8Array | undefined>();
  #bytes = 0;
  #ended: (() => void)[] = [];

  constructor(tasks: DiskTasks, events: DiskWorkEvents) {
    this.#tasks = tasks;
    this.#events = events;
  }

  /** Bytes that are not on the disk yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Chunks that are not on the disk yet. */
  get chunks(): number {
    let count = 0;
    for (const work of [this.#next, this.#now]) for (const bytes of work.values()) if (bytes !== undefined) count++;
    return count;
  }

  /** The bytes of a chunk that is on its way to the disk, and is still to get there. */
  bytesOf(chunk: number): Uint8Array | undefined {
    return this.#next.has(chunk) ? this.#next.get(chunk) : this.#now.get(chunk);
  }

  write(chunk: number, bytes: Uint8Array): void {
    if (this.bytesOf(chunk) !== undefined) return;
    this.#next.set(chunk, bytes);
    this.#bytes += bytes.length;
    this.#start();
  }

  /** It is not to be written any more. @returns whether it was to be */
  cancel(chunk: number): boolean {
    const waiting = this.#next.get(chunk);
    if (waiting === undefined) return false;
    this.#next.delete(chunk);
    this.#bytes -= waiting.length;
    return true;
  }

  /** Also of a chunk that is being written: then when it has been. */
  remove(chunk: number): void {
    this.cancel(chunk);
    this.#next.set(chunk, undefined);
    this.#start();
  }

  isWriting(chunk: number): boolean {
    return this.#now.get(chunk) !== undefined;
  }

  /** Settles when there is nothing left to do. */
  idle(): Promise<void> {
    if (this.#next.size + this.#now.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#ended.push(resolve));
  }

  #start(): void {
    for (const [chunk, bytes] of this.#next) {
      if (this.#now.size >= AT_ONCE) return;
      if (this.#now.has(chunk)) continue;
      this.#next.delete(chunk);
      this.#now.set(chunk, bytes);
      void this.#do(chunk, bytes);
    }
  }

  async #do(chunk: number, bytes: Uint8Array | undefined): Promise<void> {
    const done = bytes === undefined ? this.#tasks.remove(chunk) : this.#tasks.write(chunk, bytes);
    const [result] = await Promise.allSettled([done]);
    this.#now.delete(chunk);
    this.#bytes -= bytes?.length ?? 0;
    this.#tell(chunk, bytes !== undefined, result);
    this.#start();
    if (this.#next.size + this.#now.size > 0) return;
    for (const ended of this.#ended.splice(0)) ended();
  }
  #tell(chunk: number, isWrite: boolean, result: PromiseSettledResult<void>): void {
    const { written, unwritten, unremoved } = this.#events;
    const isCurrent = !this.#next.has(chunk);
    if (result.status === 'fulfilled') {
      if (isWrite) written(chunk, isCurrent);
    } else if (isWrite) unwritten(chunk, isCurrent, result.reason);
    else unremoved(chunk, result.reason);
  }
}
