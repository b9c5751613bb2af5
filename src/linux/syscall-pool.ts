import type { Worker } from 'node:worker_threads';
import { type BlockingCall, type BlockingResult, errorOf, runBlockingCall } from './blocking-call.ts';
import { kernelCannotDecompress } from './module.ts';
import type { MountRequest } from './mount.ts';
import { startWorker } from './worker.ts';

export interface SyscallPoolOptions {
  /**
   * Threads started at once. 0: none before something is mounted, and modules are all loaded by this thread, which then
   * hangs with them. Default 1: more gain nothing where modules only compute, since the kernel loads one at a time.
   */
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
 * A module that has to be decompressed for the kernel, by `xz` maybe, is loaded by this thread: the others start from
 * the executable's snapshot and have no node:child_process (Node 26 ends the process that loads it there).
 */
function finishHere({ call }: Job, result: BlockingResult): BlockingResult {
  const isOurs = result !== undefined && call.op === 'load' && kernelCannotDecompress(call.path, errorOf(result));
  return isOurs ? runBlockingCall(call) : result;
}

function settle(job: Job, result: BlockingResult): void {
  if (result === undefined) job.resolve();
  else job.reject(errorOf(result));
}

/**
 * System calls that may take long (a module's initialization, the mount of a failing disk), several at once and beside
 * the event loop. Make it early: the threads come up while other work goes on. Until the first is there, modules are
 * loaded by this thread, between turns of the event loop, and mounts wait. An idle pool does not keep the process
 * alive.
 */
export class SyscallPool {
  readonly #maxThreads: number;
  readonly #patienceMs: number;
  readonly #starting = new Set<Worker>();
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Busy>();
  readonly #queue: Job[] = [];
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;
  #failure: Error | undefined;

  constructor({ threads = 1, maxThreads = 16, patienceMs = 100 }: SyscallPoolOptions = {}) {
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
    for (const worker of [...this.#starting, ...this.#idle, ...this.#busy.keys()]) void worker.terminate();
    this.#starting.clear();
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
    const worker = startWorker('linux/syscall-worker');
    this.#starting.add(worker);
    worker.unref();
    worker.once('online', () => {
      if (!this.#starting.delete(worker)) return;
      worker.unref();
      this.#idle.push(worker);
      this.#dispatch();
    });
    worker.on('message', (result: BlockingResult) => this.#finish(worker, result));
    worker.on('error', (cause) => this.#fail(new Error('a system call thread died', { cause })));
  }

  #finish(worker: Worker, result: BlockingResult): void {
    const job = this.#busy.get(worker);
    if (job === undefined) return;
    this.#busy.delete(worker);
    worker.unref();
    this.#idle.push(worker);
    settle(job, finishHere(job, result));
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
    if (this.#queue.length === 0) return;
    const threads = this.#starting.size + this.#busy.size;
    if (threads === 0 && this.#queue.some(({ call }) => call.op !== 'load')) this.#start();
    for (const worker of this.#starting) worker.ref();
    if (this.#busy.size === 0) this.#turn ??= setImmediate(() => this.#loadHere());
    else this.#helpWhenAllHang();
  }

  #loadHere(): void {
    this.#turn = undefined;
    const index = this.#busy.size > 0 ? -1 : this.#queue.findIndex(({ call }) => call.op === 'load');
    for (const job of index < 0 ? [] : this.#queue.splice(index, 1)) settle(job, runBlockingCall(job.call));
    if (index >= 0) this.#dispatch();
  }

  #helpWhenAllHang(): void {
    const threads = this.#starting.size + this.#idle.length + this.#busy.size;
    if (this.#timer !== undefined || threads >= this.#maxThreads) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#queue.length === 0) return;
      const now = performance.now();
      const allHang = [...this.#busy.values()].every(({ since }) => now - since >= this.#patienceMs);
      if (allHang && this.#starting.size === 0) this.#start();
      this.#dispatch();
    }, this.#patienceMs);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    for (const job of [...this.#busy.values(), ...this.#queue]) job.reject(this.#failure);
    this.#queue.length = 0;
  }
}
