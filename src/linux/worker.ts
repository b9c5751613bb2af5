import { getAsset, isSea } from 'node:sea';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts the thread whose entry is `src/NAME.ts`; `name` is `AREA/SOMETHING-worker`, such as `linux/syscall-worker`.
 * From the sources it is that file. In the single executable it is the asset `NAME.js`: the file bundled on its own as
 * CommonJS, which the build makes of every `*-worker.ts`. A thread is up after about 10 ms.
 */
export function startWorker(name: string, options: WorkerOptions = {}): Worker {
  // What it would print is nothing; for that Node would load its terminals. An error comes as the worker's event.
  const quiet = { stdout: true, stderr: true };
  if (isSea()) return new Worker(getAsset(`${name}.js`, 'utf8'), { ...quiet, ...options, eval: true });
  return new Worker(new URL(`../${name}.ts`, import.meta.url), options);
}
