import type { Worker } from 'node:worker_threads';
import { type BlockingCall, type BlockingResult, errorOf } from './blocking-call.ts';
import type { MountRequest } from './mount.ts';
import { startWorker } from './worker.ts';

export interface SyscallPoolOptions {
  /** Threads started at once. Default 2: the processors of a small machine. */
  readonly threads?: number;
  /** Threads at most, when all others hang in their calls. Default 16. */
  readonly maxThreads?: number;
  /** After so many milliseconds a call counts as hanging, and another thread is started for those that wait. */
  readonly patienceMs?: number;
}

interface Job {
  readonly call: BlockingCall;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface Busy extends Job {
  readonly since: number;
}

/**
 * System calls that may take long (a module's initialization, the mount of a failing disk), several at once and beside
 * the event loop. Make it early: the threads come up while other work goes on, and calls wait until one is there.
 * An idle pool does not keep the process alive.
 */
export class SyscallPool {
  readonly #maxThreads: number;
  readonly #patienceMs: number;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Busy>();
  readonly #queue: Job[] = [];
  #threads = 0;
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;

  constructor({ threads = 2, maxThreads = 16, patienceMs = 250 }: SyscallPoolOptions = {}) {
    this.#maxThreads = Math.max(threads, maxThreads);
    this.#patienceMs = patienceMs;
    for (let i = 0; i < threads; i++) this.#start();
  }

  /** Loads a kernel module; see insertModule. */
  load(path: string, params = ''): Promise<void> {
    return this.#run({ op: 'load', path, params });
  }

  mount(request: MountRequest): Promise<void> {
    return this.#run({ op: 'mount', request });
  }

  umount(target: string, flags = 0): Promise<void> {
    return this.#run({ op: 'umount', target, flags });
  }

  /** Ends the threads. Calls under way are rejected; what hangs in the kernel is left to it. */
  close(): void {
    this.#fail(new Error('the system call pool is closed'));
    for (const worker of [...this.#idle, ...this.#busy.keys()]) void worker.terminate();
    this.#idle.length = 0;
    this.#busy.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #run(call: BlockingCall): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ call, resolve, reject });
    this.#dispatch();
    return promise;
  }

  #start(): void {
    this.#threads++;
    const worker = startWorker('linux/syscall-worker');
    worker.unref();
    worker.on('message', (result: BlockingResult) => this.#finish(worker, result));
    worker.on('error', (cause) => this.#fail(new Error('a system call thread died', { cause })));
    this.#idle.push(worker);
  }

  #finish(worker: Worker, result: BlockingResult): void {
    const job = this.#busy.get(worker);
    this.#busy.delete(worker);
    worker.unref();
    this.#idle.push(worker);
    if (result === undefined) job?.resolve();
    else job?.reject(errorOf(result));
    this.#dispatch();
  }

  #dispatch(): void {
    while (this.#queue.length > 0 && this.#idle.length > 0) {
      const worker = this.#idle.shift() as Worker;
      const job = this.#queue.shift() as Job;
      this.#busy.set(worker, { ...job, since: performance.now() });
      worker.ref();
      worker.postMessage(job.call);
    }
    if (this.#queue.length > 0) this.#helpWhenAllHang();
  }

  #helpWhenAllHang(): void {
    if (this.#timer !== undefined || this.#threads >= this.#maxThreads) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const now = performance.now();
      if ([...this.#busy.values()].every(({ since }) => now - since >= this.#patienceMs)) this.#start();
      this.#dispatch();
    }, this.#patienceMs);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    clearTimeout(this.#timer);
    for (const job of [...this.#busy.values(), ...this.#queue]) job.reject(this.#failure);
    this.#queue.length = 0;
  }
}
