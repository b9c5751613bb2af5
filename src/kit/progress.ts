/** How often a terminal's line is written anew. */
const TERMINAL_INTERVAL_MS = 100;

export interface Progress {
  /** @param totalBytes undefined as long as nobody knows */
  update(doneBytes: number, totalBytes?: number): void;
  /** Takes the line away. */
  end(): void;
}

/** Shows on a terminal how far a long work is, by one line on standard error; silent elsewhere. */
export function showProgress(what: string, output: NodeJS.WriteStream = process.stderr): Progress {
  const start = performance.now();
  let last = start;
  let shown = false;
  return {
    update(doneBytes, totalBytes) {
      const now = performance.now();
      if (!output.isTTY || now - last < TERMINAL_INTERVAL_MS) return;
      last = now;
      output.write(`\r\x1b[K${progressLine(what, doneBytes, totalBytes, now - start)}`);
      shown = true;
    },
    end() {
      if (shown) output.write('\r\x1b[K');
    },
  };
}

/** Does `work`, showing how far it is. */
export async function withProgress<T>(
  what: string,
  work: (update: (done: number, total?: number) => void) => Promise<T>,
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

/** Does work of several stages, each with its own line, as `update` names them one after another. */
export async function withStages<T>(
  work: (update: (what: string, done: number, total?: number) => void) => Promise<T>,
): Promise<T> {
  let shown: { what: string; progress: Progress } | undefined;
  try {
    return await work((what, done, total) => {
      if (shown?.what !== what) {
        shown?.progress.end();
        shown = { what, progress: showProgress(what) };
      }
      shown.progress.update(done, total);
    });
  } finally {
    shown?.progress.end();
  }
}

/** `index: 120 of 300 MB, 40 %, 250 MB/s, 1 s left`; `pack: 120 MB, 30 MB/s` as long as nobody knows of how many. */
export function progressLine(
  what: string,
  doneBytes: number,
  totalBytes: number | undefined,
  elapsedMs: number,
): string {
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
  const rate = `${elapsedMs > 0 ? megabytes((doneBytes / elapsedMs) * 1000) : '0'} MB/s`;
  if (totalBytes === undefined) return `${what}: ${megabytes(doneBytes)} MB, ${rate}`;
  const percent = totalBytes === 0 ? 100 : Math.min(100, Math.floor((doneBytes / totalBytes) * 100));
  const line = `${what}: ${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB, ${percent} %, ${rate}`;
  if (doneBytes === 0 || percent === 100) return line;
  return `${line}, ${timeLeft((elapsedMs / 1000) * (totalBytes / doneBytes - 1))} left`;
}

/** `40 s`, `12 min`, `3 h`. */
function timeLeft(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
