import type { ModuleLoader } from '../../hardware/load.ts';
import type { PlannedModule } from '../../hardware/plan.ts';
import { insertModule, isModuleLive } from '../../linux/module.ts';

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
  readonly #isLive: (name: string) => boolean;
  readonly #disks: Job[] = [];
  readonly #controllers: Job[] = [];
  readonly #ready: Job[] = [];
  #turn: NodeJS.Immediate | undefined;
  #hurried = 0;
  #paused = 0;
  #hold: { readonly over: Promise<void>; readonly isOver: boolean; readonly end: () => void } | undefined;
  #isRestLeft = false;
  /** Who waits for a quiet moment. */
  readonly #patient: (() => void)[] = [];

  /** @param loaded told of every module that has started */
  constructor(
    threads: SlowCalls,
    loaded: (path: string, parameters: string) => void,
    insert: (path: string, parameters: string) => void = insertModule,
    isLive: (name: string) => boolean = isModuleLive,
  ) {
    this.#threads = threads;
    this.#loaded = loaded;
    this.#insert = insert;
    this.#isLive = isLive;
  }

  has({ name }: Pick<PlannedModule, 'name'>): boolean {
    return this.#isLive(name);
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
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const held = {
      over,
      isOver: false,
      end: () => {
        clearTimeout(timer);
        held.isOver = true;
        resolve();
      },
    };
    const timer = setTimeout(held.end, HOLD_MS);
    this.#hold = held;
  }

  /** While this is so, no moment is a quiet one: what is not urgent is left. */
  leaveRest(left: boolean): void {
    this.#isRestLeft = left;
    this.#tellPatient();
  }

  /** Resolves when there is time for what is not urgent: no module waits for this thread, and no disk is looked at. */
  async quiet(): Promise<void> {
    for (;;) {
      if (this.#waiting > 0 || this.#paused > 0 || this.#isRestLeft) {
        await new Promise<void>((resolve) => this.#patient.push(resolve));
      } else if (this.#hold !== undefined && !this.#hold.isOver) await this.#hold.over;
      else return;
    }
  }

  get #waiting(): number {
    return this.#disks.length + this.#controllers.length + this.#ready.length;
  }

  #tellPatient(): void {
    for (const wake of this.#patient.splice(0)) wake();
  }

  #inTurn(module: Module): Promise<void> {
    const lane = module.class === undefined ? this.#ready : module.class === 'disk' ? this.#disks : this.#controllers;
    return new Promise((resolve) => {
      lane.push({ module, settle: resolve });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#waiting > 0 && this.#paused === 0) this.#turn ??= setImmediate(() => this.#takeOne());
    else this.#tellPatient();
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
