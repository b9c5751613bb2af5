/** A `viver` subcommand: one file each in this folder, listed in main.ts. */
export interface Command {
  readonly name: string;
  /** One line for `viver help`. */
  readonly summary: string;
  /** Whole usage text, shown by `viver help NAME` and after a usage error. */
  readonly usage: string;
  /**
   * Does the work; results go to standard output, progress and warnings to standard error.
   * Throws UsageError for wrong words (exit code 2), any other Error for a failure (exit code 1, its message on one line).
   * `signal` aborts on SIGINT and SIGTERM; what runs for long ends cleanly on it.
   */
  run(args: readonly string[], signal: AbortSignal): Promise<void>;
}

/** The words of the command line are wrong: exit code 2, with the usage text. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
