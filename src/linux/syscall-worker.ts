/** A thread of the syscall pool: one call after another until it is ended. */
import { parentPort } from 'node:worker_threads';
import { type BlockingCall, runBlockingCallInThread } from './blocking-call.ts';

parentPort?.on('message', (call: BlockingCall) => parentPort?.postMessage(runBlockingCallInThread(call)));
