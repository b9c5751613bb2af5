import { closeSync, openSync, readSync } from 'node:fs';
import { registerBtrfsDevice } from './block/btrfs.ts';
import { requireMedium } from './block/medium.ts';
import { SyscallError } from './errno.ts';
import { insertModule, insertModuleFile } from './module.ts';
import { type MountRequest, mount, umount } from './mount.ts';

/** A system call that may take long, as it travels to a thread. */
export type BlockingCall =
  | { readonly op: 'load'; readonly path: string; readonly params: string }
  | { readonly op: 'mount'; readonly request: MountRequest }
  | { readonly op: 'read'; readonly path: string }
  | { readonly op: 'umount'; readonly target: string; readonly flags: number }
  | { readonly op: 'medium'; readonly path: string; readonly isCd: boolean }
  | { readonly op: 'btrfs'; readonly path: string };

/** What comes back: nothing, or the parts of the error, since a class does not travel. */
export type BlockingResult =
  | undefined
  | { readonly op: string; readonly target: string; readonly errno: number }
  | { readonly message: string; readonly code: string | undefined };

const READ_BYTES = 256 * 1024;

const RUN: { readonly [K in BlockingCall['op']]: (call: Extract<BlockingCall, { op: K }>) => void } = {
  load: ({ path, params }) => insertModule(path, params),
  mount: ({ request }) => mount(request),
  read: ({ path }) => readThrough(path),
  umount: ({ target, flags }) => umount(target, flags),
  medium: ({ path, isCd }) => requireMedium(path, isCd),
  btrfs: ({ path }) => registerBtrfsDevice(path),
};

/** Reads a file to its end for the kernel to remember it. */
function readThrough(path: string): void {
  const bytes = Buffer.alloc(READ_BYTES);
  const fd = openSync(path, 'r');
  try {
    while (readSync(fd, bytes) > 0);
  } finally {
    closeSync(fd);
  }
}

function partsOf(error: unknown): BlockingResult {
  if (error instanceof SyscallError) return { op: error.op, target: error.target, errno: error.errno };
  if (error instanceof Error) return { message: error.message, code: (error as NodeJS.ErrnoException).code };
  return { message: String(error), code: undefined };
}

export function runBlockingCall(call: BlockingCall): BlockingResult {
  return outcomeOf(() => (RUN[call.op] as (call: BlockingCall) => void)(call));
}

/** As runBlockingCall, but starts no process: a thread of the executable cannot (see SyscallPool). */
export function runBlockingCallInThread(call: BlockingCall): BlockingResult {
  return call.op === 'load' ? outcomeOf(() => insertModuleFile(call.path, call.params)) : runBlockingCall(call);
}

function outcomeOf(run: () => void): BlockingResult {
  try {
    run();
    return undefined;
  } catch (error) {
    return partsOf(error);
  }
}

export function errorOf(result: NonNullable<BlockingResult>): Error {
  if ('errno' in result) return new SyscallError(result.op, result.target, result.errno);
  return Object.assign(new Error(result.message), result.code === undefined ? {} : { code: result.code });
}
