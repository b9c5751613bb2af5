import { getAsset, isSea } from 'node:sea';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts the thread whose entry is `src/NAME.ts`; `name` is `AREA/SOMETHING-worker`, such as `linux/syscall-worker`.
 * From the sources it is that file. In the single executable it is the asset `NAME.js`: the file bundled on its own as
 * CommonJS, which the build makes of every `*-worker.ts`. A thread is up after about 10 ms.
 */
export function startWorker(name: string, options: WorkerOptions = {}): Worker {
  if (isSea()) return new Worker(getAsset(`${name}.js`, 'utf8'), { ...options, eval: true });
  return new Worker(new URL(`../${name}.ts`, import.meta.url), options);
}
