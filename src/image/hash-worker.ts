/** A thread of the hash pool: hashes pieces of shared memory until it is ended. */
import { parentPort } from 'node:worker_threads';
import { digestPieces, type HashJob } from './digest-pieces.ts';

parentPort?.on('message', (job: HashJob) => parentPort?.postMessage(digestPieces(job)));
