/**
 * Errors that no call returns: thrown by a timer or a socket's callback, a promise nobody waits for, an event loop with
 * nothing left to do. Node would end the process, and the kernel panics when process 1 ends; here they end the attempt
 * that is under way, as any other error.
 */
export interface FaultsOptions {
  /** An error that came while nothing was attempted. */
  readonly onStray: (error: unknown) => void;
  /** The process ends all the same, by process.exit: must not return. */
  readonly onExit: (code: number) => void;
  readonly process?: Pick<NodeJS.Process, 'on'>;
}

/** An attempt that was given up may still hold what the next one wants. */
const SETTLE_MS = 10_000;

export class Faults {
  readonly #onStray: (error: unknown) => void;
  #hear: ((error: unknown) => void) | undefined;
  /** The work of an attempt that was given up, until it has ended and undone what it did. */
  #abandoned: Promise<void> | undefined;

  constructor({ onStray, onExit, process: target = process }: FaultsOptions) {
    this.#onStray = onStray;
    target.on('uncaughtException', (error) => this.#arrived(error));
    target.on('unhandledRejection', (reason) => this.#arrived(reason));
    target.on('beforeExit', () => this.#arrived(new Error('nothing is left to wait for, and the boot is not done')));
    target.on('exit', onExit);
  }

  #arrived(error: unknown): void {
    const hear = this.#hear;
    this.#hear = undefined; // the first one is the failure, the others mostly follow from it
    if (hear === undefined) this.#onStray(error);
    else hear(error);
  }

  /**
   * Runs an attempt. A fault meanwhile is its failure, and aborts the signal, which the attempt looks at before it begins
   * anything more.
   * @throws what the attempt throws, or the fault
   */
  async during<T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    await this.#untilSettled();
    const stop = new AbortController();
    const fault = Promise.withResolvers<never>();
    this.#hear = (error) => {
      stop.abort(error);
      fault.reject(error);
    };
    const work = attempt(stop.signal);
    try {
      return await Promise.race([work, fault.promise]);
    } finally {
      this.#hear = undefined;
      if (stop.signal.aborted) {
        const ended = work.then(
          () => {},
          () => {}, // the fault is what is told
        );
        this.#abandoned = ended.then(() => {
          this.#abandoned = undefined;
        });
      }
    }
  }

  async #untilSettled(): Promise<void> {
    if (this.#abandoned === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), SETTLE_MS);
    });
    const settled = await Promise.race([this.#abandoned, late]);
    clearTimeout(timer);
    if (settled === 'late') throw new Error('what failed before still hangs: only a reboot helps (reboot -f)');
  }
}
