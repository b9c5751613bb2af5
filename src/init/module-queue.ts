import type { ModuleLoader } from '../hardware/load.ts';
import type { PlannedModule } from '../hardware/plan.ts';
import { insertModule } from '../linux/module.ts';

type Module = Pick<PlannedModule, 'path' | 'parameters' | 'atOnce' | 'class'>;

/** The threads for calls that may take long; linux/'s SyscallPool is one. */
export interface SlowCalls {
  load(path: string, parameters: string): Promise<void>;
  /** A thread is up and has nothing to do. */
  readonly hasIdle: boolean;
}

interface Job {
  readonly module: Module;
  readonly settle: (loaded: Promise<void>) => void;
}

/** A driver that waits for slow devices is not kept back longer. */
const HOLD_MS = 500;

/**
 * In which order and where modules are put into the kernel. What starts at once is loaded on this thread, one module in
 * each turn of the event loop, so that a disk which appears meanwhile is not kept waiting; what may take long goes to
 * the threads for that, and so do the controllers' own libraries when one of those threads has nothing to do. First come
 * disks that answer at once, then controllers, then what is only got ready, unless somebody waits for that.
 */
export class ModuleQueue implements ModuleLoader {
  readonly #threads: SlowCalls;
  readonly #insert: (path: string, parameters: string) => void;
  readonly #loaded: (path: string, parameters: string) => void;
  readonly #disks: Job[] = [];
  readonly #controllers: Job[] = [];
  readonly #ready: Job[] = [];
  #turn: NodeJS.Immediate | undefined;
  #hurried = 0;
  #paused = 0;
  #hold: { readonly over: Promise<void>; readonly end: () => void } | undefined;

  /** @param loaded told of every module that has started */
  constructor(
    threads: SlowCalls,
    loaded: (path: string, parameters: string) => void,
    insert: (path: string, parameters: string) => void = insertModule,
  ) {
    this.#threads = threads;
    this.#loaded = loaded;
    this.#insert = insert;
  }

  async load(module: Module): Promise<void> {
    if (module.atOnce) await this.#inTurn(module);
    else {
      await this.#hold?.over;
      await this.#threads.load(module.path, module.parameters);
    }
    this.#loaded(module.path, module.parameters);
  }

  /** Until this is disposed of, somebody waits for what is only got ready. */
  hurry(): Disposable {
    this.#hurried++;
    return { [Symbol.dispose]: () => void this.#hurried-- };
  }

  /** Until this is disposed of, this thread starts no module: how fast a disk is read is measured. */
  pause(): Disposable {
    this.#paused++;
    return {
      [Symbol.dispose]: () => {
        this.#paused--;
        this.#schedule();
      },
    };
  }

  /** What may take long waits until this is called with `false`, or half a second. */
  holdSlow(hold: boolean): void {
    if (hold === (this.#hold !== undefined)) return;
    this.#hold?.end();
    this.#hold = undefined;
    if (!hold) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, HOLD_MS);
    this.#hold = {
      over: promise,
      end: () => {
        clearTimeout(timer);
        resolve();
      },
    };
  }

  #inTurn(module: Module): Promise<void> {
    const lane = module.class === undefined ? this.#ready : module.class === 'disk' ? this.#disks : this.#controllers;
    return new Promise((resolve) => {
      lane.push({ module, settle: resolve });
      this.#schedule();
    });
  }

  #schedule(): void {
    const waiting = this.#disks.length + this.#controllers.length + this.#ready.length;
    if (waiting > 0 && this.#paused === 0) this.#turn ??= setImmediate(() => this.#takeOne());
  }

  #takeOne(): void {
    this.#turn = undefined;
    if (this.#paused > 0) return;
    if (this.#threads.hasIdle) {
      const aside = this.#controllers.shift() ?? this.#ready.shift();
      aside?.settle(this.#threads.load(aside.module.path, aside.module.parameters));
    }
    const here =
      this.#disks.shift() ??
      (this.#hurried > 0 ? this.#ready.shift() : undefined) ??
      this.#controllers.shift() ??
      this.#ready.shift();
    here?.settle(this.#insertHere(here.module));
    this.#schedule();
  }

  async #insertHere({ path, parameters }: Module): Promise<void> {
    this.#insert(path, parameters);
  }
}
