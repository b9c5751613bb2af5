export interface LineLimitOptions {
  /** Lines at once. */
  readonly burst: number;
  /** So many more come back each second. */
  readonly perSecond: number;
}

/**
 * Lines of a log that strangers may cause: what they send as often as they like neither fills a disk or memory with them
 * nor pushes out what was said before. Pure.
 */
export class LineLimit {
  readonly #options: LineLimitOptions;
  #left: number;
  #atMs = Number.NEGATIVE_INFINITY;
  #leftOut = 0;

  constructor(options: LineLimitOptions) {
    this.#options = options;
    this.#left = options.burst;
  }

  /** @returns the line as it is to be written, with how many were left out before it; undefined: it is left out itself */
  take(line: string, nowMs: number): string | undefined {
    const { burst, perSecond } = this.#options;
    this.#left = Math.min(burst, this.#left + (Math.max(0, nowMs - this.#atMs) / 1000) * perSecond);
    this.#atMs = nowMs;
    if (this.#left < 1) {
      this.#leftOut++;
      return undefined;
    }
    this.#left--;
    const before = this.#leftOut;
    this.#leftOut = 0;
    return before === 0 ? line : `${line} (${before} lines before this one are left out)`;
  }
}

/** A thousand machines that come at once are told of; a stranger who goes on for ever gets a line a second. */
const ORDINARY: LineLimitOptions = { burst: 1000, perSecond: 1 };

/** The same log, of which nobody gets more than that. */
export function limitedLog(log: (line: string) => void): (line: string) => void {
  const limit = new LineLimit(ORDINARY);
  return (line) => {
    const written = limit.take(line, performance.now());
    if (written !== undefined) log(written);
  };
}
