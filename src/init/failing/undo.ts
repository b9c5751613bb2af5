import { describeError } from '../../linux/describe-error.ts';
import { hasCode } from '../../linux/errno.ts';
import { MNT, readMounts, umount } from '../../linux/mount.ts';

/**
 * How an attempt to boot is taken back: the steps in reverse, each whatever became of the others. What is registered is
 * done when this is disposed of, and so exactly when the attempt has failed: one that succeeds never returns.
 */
export class Undo implements AsyncDisposable {
  readonly #warn: (text: string) => void;
  readonly #steps: { readonly what: string; readonly run: () => void | Promise<void> }[] = [];

  constructor(warn: (text: string) => void) {
    this.#warn = warn;
  }

  add(what: string, run: () => void | Promise<void>): void {
    this.#steps.push({ what, run });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { what, run } of this.#steps.splice(0).reverse()) {
      try {
        await run();
      } catch (error) {
        this.#warn(`${what}: not taken back: ${describeError(error)}`);
      }
    }
  }
}

/** What unmounting since a moment needs; a test gives its own. */
export interface Mounts {
  read(): readonly { readonly id: number; readonly target: string }[];
  umount(target: string, flags?: number): void;
}

const realMounts: Mounts = { read: readMounts, umount };

/**
 * Remembers what is mounted now.
 * @returns unmounts all that was mounted since, the last first; what is in use goes from sight and ends with its user
 */
export function mountsSinceNow(mounts: Mounts = realMounts): () => void {
  const known = new Set(mounts.read().map(({ id }) => id));
  return () => {
    const fresh = mounts.read().filter(({ id }) => !known.has(id));
    for (const { target } of fresh.reverse()) {
      try {
        mounts.umount(target);
      } catch (error) {
        if (!hasCode(error, 'EBUSY')) throw error;
        mounts.umount(target, MNT.DETACH);
      }
    }
  };
}
