import { closeSync, lstatSync, openSync, readlinkSync, readSync, statSync } from 'node:fs';

/** What finding a program needs of the image's files. */
export interface RootReader {
  /** The target of a symbolic link; undefined when the path is no link or nothing. */
  link(path: string): string | undefined;
  kind(path: string): 'executable' | 'file' | 'directory' | undefined;
  /** Up to `length` bytes of a file at `offset`: fewer at its end, none past it. */
  bytes(path: string, offset: number, length: number): Uint8Array;
}

export const rootReader: RootReader = {
  link(path) {
    try {
      // Most are none, and an error costs many times what this look does.
      return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : undefined;
    } catch {
      return undefined; // nothing that can be looked at: kind() tells what
    }
  },
  kind(path) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.isDirectory()) return 'directory';
    return stat.isFile() && (stat.mode & 0o111) !== 0 ? 'executable' : 'file';
  },
  bytes(path, offset, length) {
    if (!Number.isSafeInteger(offset)) return new Uint8Array();
    const file = openSync(path, 'r');
    try {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
    } finally {
      closeSync(file);
    }
  },
};
