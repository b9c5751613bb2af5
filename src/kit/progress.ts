/** How often a log that is no terminal gets a line. */
const LOG_INTERVAL_MS = 10_000;
/** How often a terminal's line is written anew. */
const TERMINAL_INTERVAL_MS = 100;

export interface Progress {
  update(doneBytes: number, totalBytes: number): void;
  /** Takes the terminal's line away. */
  end(): void;
}

/** Shows on standard error how far a long work is: one line on a terminal, one every ten seconds elsewhere. */
export function showProgress(what: string, output: NodeJS.WriteStream = process.stderr): Progress {
  const start = performance.now();
  const interval = output.isTTY ? TERMINAL_INTERVAL_MS : LOG_INTERVAL_MS;
  let last = start;
  let shown = false;
  return {
    update(doneBytes, totalBytes) {
      const now = performance.now();
      if (now - last < interval) return;
      last = now;
      const line = progressLine(what, doneBytes, totalBytes, now - start);
      output.write(output.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
      shown = true;
    },
    end() {
      if (shown && output.isTTY) output.write('\r\x1b[K');
    },
  };
}

/** Does `work`, showing how far it is. */
export async function withProgress<T>(
  what: string,
  work: (update: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  const progress = showProgress(what);
  try {
    return await work(progress.update);
  } finally {
    progress.end();
  }
}

/** Shows how many of so many things are done: on a terminal only, where a person waits. */
export async function withCountedProgress<T>(
  what: string,
  work: (update: (done: number, total: number) => void) => Promise<T>,
  output: NodeJS.WriteStream = process.stderr,
): Promise<T> {
  const start = performance.now();
  const update = (done: number, total: number): void => {
    if (!output.isTTY) return;
    const seconds = (performance.now() - start) / 1000;
    const left = done === 0 ? '' : `, ${Math.ceil((seconds * (total - done)) / done)} s left`;
    output.write(`\r\x1b[K${what}: ${done} of ${total}${left}`);
  };
  try {
    return await work(update);
  } finally {
    if (output.isTTY) output.write('\r\x1b[K');
  }
}

/** `hashing: 120 of 300 MB, 40 %, 250 MB/s` */
export function progressLine(what: string, doneBytes: number, totalBytes: number, elapsedMs: number): string {
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
  const percent = totalBytes === 0 ? 100 : Math.floor((doneBytes / totalBytes) * 100);
  const rate = elapsedMs > 0 ? megabytes((doneBytes / elapsedMs) * 1000) : '0';
  return `${what}: ${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB, ${percent} %, ${rate} MB/s`;
}
