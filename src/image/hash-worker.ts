/** A thread of the hash pool: hashes pieces of shared memory until it is ended. */
import { hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { HashJob } from './hash-pool.ts';

const DIGEST_SIZE = 32;

parentPort?.on('message', ({ bytes, ends, named }: HashJob) => {
  const digests = new Uint8Array(ends.length * DIGEST_SIZE);
  let start = 0;
  ends.forEach((end, i) => {
    digests.set(hash(named, bytes.subarray(start, end), 'buffer'), i * DIGEST_SIZE);
    start = end;
  });
  parentPort?.postMessage(digests);
});
