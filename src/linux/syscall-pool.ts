import type { Worker } from 'node:worker_threads';
import { type BlockingCall, type BlockingResult, errorOf, runBlockingCall } from './blocking-call.ts';
import { kernelCannotDecompress } from './module.ts';
import type { MountRequest } from './mount.ts';
import { startWorker } from './worker.ts';

export interface SyscallPoolOptions {
  /** Threads started at once. Default 1: more gain nothing where modules only compute, since the kernel loads one at a time. */
  readonly threads?: number;
  /** Threads at most, when all others hang in their calls. Default 16. */
  readonly maxThreads?: number;
  /** After so many milliseconds a call counts as hanging, and another thread is started for those that wait. */
  readonly patienceMs?: number;
  /** The threads' entry, for startWorker: a test gives one that dies. */
  readonly entry?: string;
}

interface Job {
  readonly call: BlockingCall;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface Busy extends Job {
  /** When the thread took it, in milliseconds. */
  since: number;
}

/** Threads that die one after the other will not live the next time either. */
const MOST_DEATHS = 8;

/**
 * A module that has to be decompressed for the kernel, by `xz` maybe, is loaded by this thread: the others start from
 * the executable's snapshot and have no node:child_process (Node 26 ends the process that loads it there).
 */
function finishHere({ call }: Job, result: BlockingResult): BlockingResult {
  const isOurs = result !== undefined && call.op === 'load' && kernelCannotDecompress(call.path, errorOf(result));
  return isOurs ? runBlockingCall(call) : result;
}

/** A medium that is there is not kept waiting by drivers of others. */
const isUrgent = ({ op }: BlockingCall): boolean => op !== 'load' && op !== 'umount';

function settle(job: Job, result: BlockingResult): void {
  if (result === undefined) job.resolve();
  else job.reject(errorOf(result));
}

/**
 * System calls that may take long (a module's initialization, the mount of a failing disk), several at once and beside
 * the event loop. Make it early: a thread comes up while other work goes on, and has its first call waiting. An idle
 * pool does not keep the process alive.
 */
export class SyscallPool {
  readonly #maxThreads: number;
  readonly #entry: string;
  /** At least twice what a thread takes to come up: on a slow machine another one would cost more than it saves. */
  #patienceMs: number;
  readonly #online = new WeakSet<Worker>();
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Busy>();
  readonly #queue: Job[] = [];
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;
  #deaths = 0;

  constructor({
    threads = 1,
    maxThreads = 16,
    patienceMs = 100,
    entry = 'linux/syscall-worker',
  }: SyscallPoolOptions = {}) {
    this.#maxThreads = Math.max(threads, maxThreads);
    this.#patienceMs = patienceMs;
    this.#entry = entry;
    for (let i = 0; i < threads; i++) this.#start();
  }

  /** A thread is up and has nothing to do. */
  get hasIdle(): boolean {
    return this.#idle.some((worker) => this.#online.has(worker));
  }

  /** Loads a kernel module; see insertModule. */
  load(path: string, params = ''): Promise<void> {
    return this.#run({ op: 'load', path, params });
  }

  mount(request: MountRequest): Promise<void> {
    return this.#run({ op: 'mount', request });
  }

  /** Reads a file to its end, so that who needs it next finds it in memory. */
  read(path: string): Promise<void> {
    return this.#run({ op: 'read', path });
  }

  umount(target: string, flags = 0): Promise<void> {
    return this.#run({ op: 'umount', target, flags });
  }

  /** See requireMedium. */
  requireMedium(path: string, isCd: boolean): Promise<void> {
    return this.#run({ op: 'medium', path, isCd });
  }

  /** See registerBtrfsDevice. */
  registerBtrfsDevice(path: string): Promise<void> {
    return this.#run({ op: 'btrfs', path });
  }

  /** Ends the threads. Calls under way are rejected; what hangs in the kernel is left to it. */
  close(): void {
    this.#fail(new Error('the system call pool is closed'));
    const workers = [...this.#idle, ...this.#busy.keys()];
    this.#idle.length = 0;
    this.#busy.clear();
    for (const worker of workers) void worker.terminate();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #run(call: BlockingCall): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const job = { call, resolve, reject };
    if (isUrgent(call)) this.#queue.unshift(job);
    else this.#queue.push(job);
    this.#dispatch();
    return promise;
  }

  #start(): void {
    const startedMs = performance.now();
    let worker: Worker;
    try {
      worker = startWorker(this.#entry);
    } catch {
      this.#deaths = MOST_DEATHS; // no thread can be had at all
      return;
    }
    worker.unref();
    worker.once('online', () => {
      this.#online.add(worker);
      this.#patienceMs = Math.max(this.#patienceMs, 2 * (performance.now() - startedMs));
      const job = this.#busy.get(worker);
      if (job !== undefined) job.since = performance.now();
      else {
        worker.unref();
        this.#dispatch();
      }
    });
    worker.on('message', (result: BlockingResult) => this.#finish(worker, result));
    worker.on('error', (cause) => this.#died(worker, cause));
    worker.once('exit', (code) => this.#died(worker, new Error(`it ended with status ${code}`)));
    this.#idle.push(worker);
  }

  /** Its call fails; the others go on in another thread. Where no thread lives, calls are made on this one. */
  #died(worker: Worker, cause: unknown): void {
    const at = this.#idle.indexOf(worker);
    const job = this.#busy.get(worker);
    if (at < 0 && job === undefined) return; // told of already, or closed
    if (at >= 0) this.#idle.splice(at, 1);
    this.#busy.delete(worker);
    job?.reject(new Error('a system call thread died', { cause }));
    this.#deaths++;
    if (!this.#isThreadless) this.#start();
    this.#dispatch();
  }

  get #isThreadless(): boolean {
    return this.#deaths >= MOST_DEATHS;
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
    if (this.#isThreadless && this.#idle.length + this.#busy.size === 0) {
      for (const job of this.#queue.splice(0)) settle(job, runBlockingCall(job.call));
    }
    for (;;) {
      const [job] = this.#queue;
      // A thread takes up to a second to come up, in which a medium may appear: modules do not take its first turn.
      const at = job === undefined ? -1 : this.#idle.findIndex((each) => this.#online.has(each) || isUrgent(job.call));
      const worker = this.#idle[at];
      if (job === undefined || worker === undefined) break;
      this.#idle.splice(at, 1);
      this.#queue.shift();
      this.#busy.set(worker, { ...job, since: performance.now() });
      worker.ref();
      worker.postMessage(job.call);
    }
    if (this.#queue.length === 0) return;
    this.#idle[0]?.ref(); // it comes up, and is waited for
    this.#helpWhenAllHang();
  }

  #helpWhenAllHang(): void {
    const threads = this.#idle.length + this.#busy.size;
    if (this.#timer !== undefined || threads >= this.#maxThreads || this.#isThreadless) return;
    if (this.#idle.length > 0) return; // one is coming up, and asks for work then
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#queue.length === 0) return;
      const patientSince = performance.now() - this.#patienceMs;
      const allHang = [...this.#busy].every(([worker, { since }]) => this.#online.has(worker) && since <= patientSince);
      if (allHang) this.#start();
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
