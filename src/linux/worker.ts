import { getAsset, isSea } from 'node:sea';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Said before a thread's own code. Node reports an uncaught error of a thread through a module that a thread of a snapshot
 * cannot load: the whole process aborts on it, process 1 too. So the thread tells it and ends by itself, on the same line
 * as the code, whose line numbers stay.
 */
const ENDS_ALONE =
  `'use strict'; process.on('uncaughtException', (error) => { ` +
  `try { require('node:fs').writeSync(2, 'viver: a thread ended: ' + (error?.stack ?? error) + '\\n'); } ` +
  `finally { process.exit(1); } }); `;

/** The text of a thread that takes only itself along when it fails: `code` is a script in CommonJS. */
export const endingAlone = (code: string): string => ENDS_ALONE + code;

/**
 * Starts the thread whose entry is `src/NAME.ts`; `name` is `AREA/SOMETHING-worker`, such as `linux/syscall-worker`.
 * From the sources it is that file. In the single executable it is the asset `NAME.js`: the file bundled on its own as
 * CommonJS, which the build makes of every `*-worker.ts`. A thread is up after about 10 ms.
 */
export function startWorker(name: string, options: WorkerOptions = {}): Worker {
  // What it would print is nothing; for that Node would load its terminals. An error comes as the worker's exit.
  const quiet = { stdout: true, stderr: true };
  if (isSea()) return new Worker(endingAlone(getAsset(`${name}.js`, 'utf8')), { ...quiet, ...options, eval: true });
  return new Worker(new URL(`../${name}.ts`, import.meta.url), options);
}
