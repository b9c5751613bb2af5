import { endProgram, lookAfter, type StartedProgram } from './supervised.ts';

/**
 * A program that was started before there is something for it to do: it waits on its standard input until somebody takes
 * it. Nobody may ever come (a machine without a cable, a role without who would take it), and it takes memory: it is ended
 * then, and whoever comes later starts one anew.
 */
export class WaitingProgram {
  readonly #program: StartedProgram;
  readonly #timer: NodeJS.Timeout;
  #isWaiting = true;
  #ended: Promise<void> | undefined;

  /** @param log told when it is ended for that, or ends by itself, with its last words */
  constructor(program: StartedProgram, patienceMs: number, log: (line: string) => void) {
    this.#program = program;
    const { child, name } = program;
    // Whoever takes it sees that it has ended.
    child.stdin?.on('error', () => {});
    this.#timer = setTimeout(() => {
      log(`${name}: nobody needed it in ${patienceMs / 1000} s, it is ended`);
      void this.end();
    }, patienceMs);
    this.#timer.unref();
    child.once('exit', () => {
      clearTimeout(this.#timer);
      if (!this.#isWaiting) return;
      this.#isWaiting = false;
      lookAfter({ defer: () => {}, fail: ({ message }) => log(message), log }, program, {});
    });
  }

  /** The program, once: who takes it looks after it. undefined: it has been taken, or has ended. */
  take(): StartedProgram | undefined {
    if (!this.#isWaiting) return undefined;
    this.#isWaiting = false;
    clearTimeout(this.#timer);
    const { child } = this.#program;
    return child.exitCode === null && child.signalCode === null ? this.#program : undefined;
  }

  /** Ends it, unless somebody has taken it. Resolves when it has ended. */
  async end(): Promise<void> {
    if (this.#isWaiting) {
      this.#isWaiting = false;
      clearTimeout(this.#timer);
      this.#ended = endProgram(this.#program);
    }
    await this.#ended;
  }
}
