import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { startWorker } from '../linux/worker.ts';
import type { ChunkHash } from './chunk-index.ts';

/** What a worker is asked: the digest of each piece of `bytes`; piece i lies between ends[i - 1] (0) and ends[i]. */
export interface HashJob {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly ends: readonly number[];
  readonly named: ChunkHash;
}

interface QueuedJob extends HashJob {
  readonly resolve: (digests: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/**
 * SHA-256, or what else names chunks, on several threads. Workers instead of WebCrypto's thread pool: they take the bytes from shared memory
 * without a copy and get a list of chunks in one message, which is twice as fast on two processors (2.5 against
 * 1.5 GB/s here; 185 against 93 MB/s under emulation).
 */
export class HashPool implements AsyncDisposable {
  readonly threads: number;
  readonly #workers: Worker[] = [];
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, QueuedJob>();
  readonly #queue: QueuedJob[] = [];
  #failure: Error | undefined;

  /** Starts the threads at once, so that they are up when the first bytes are read. */
  constructor(threads = Math.min(availableParallelism(), 8)) {
    this.threads = threads;
    for (let i = 0; i < threads; i++) this.#start();
  }

  /**
   * The digests of the pieces of `bytes`, 32 bytes each, in order. `bytes` must not be written to meanwhile.
   * Rejects only when a thread dies.
   */
  digests(
    bytes: Uint8Array<SharedArrayBuffer>,
    ends: readonly number[],
    named: ChunkHash = 'sha256',
  ): Promise<Uint8Array> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#queue.push({ bytes, ends, named, resolve, reject });
    this.#dispatch();
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new Error('hash pool is closed'));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #start(): void {
    const worker = startWorker('image/hash-worker');
    this.#workers.push(worker);
    this.#idle.push(worker);
    worker.on('message', (digests: Uint8Array) => {
      this.#busy.get(worker)?.resolve(digests);
      this.#busy.delete(worker);
      this.#idle.push(worker);
      this.#dispatch();
    });
    worker.on('error', (cause) => this.#fail(new Error('a hashing thread died', { cause })));
    worker.on('exit', () => this.#fail(new Error('a hashing thread ended')));
  }

  #dispatch(): void {
    while (this.#idle.length > 0) {
      const job = this.#queue.shift();
      if (job === undefined) return;
      const worker = this.#idle.pop() as Worker;
      this.#busy.set(worker, job);
      worker.postMessage({ bytes: job.bytes, ends: job.ends, named: job.named } satisfies HashJob);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const job of [...this.#busy.values(), ...this.#queue]) job.reject(this.#failure);
    this.#busy.clear();
    this.#queue.length = 0;
  }
}

/** Memory that the threads of a pool can read. */
export function sharedBytes(length: number): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(new SharedArrayBuffer(length));
}
