import { closeSync, existsSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What is read of /sys. Paths are absolute; what is not there, or goes while it is read, gives undefined or nothing. */
export interface SysTree {
  list(directory: string): readonly string[];
  /** A file's text without the newline at its end. */
  read(file: string): string | undefined;
  /** The absolute path a link points to, one step. */
  link(path: string): string | undefined;
}

/** A sysfs file is never longer than a page. */
const PAGE_BYTES = 4096;

/** A device may go at any time: open then gives ENOENT, read ENODEV or EINVAL. All mean: nothing there. */
function present<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

/** The machine's own /sys: three system calls a file, no promise: a hundred devices take a few milliseconds. */
export function sysTree(): SysTree {
  const page = Buffer.allocUnsafe(PAGE_BYTES);
  return {
    // A directory that is not there is no rare case, and an exception costs a hundred times what the question does.
    list: (directory) => (existsSync(directory) ? (present(() => readdirSync(directory)) ?? []) : []),
    read: (file) =>
      present(() => {
        const descriptor = openSync(file, 'r');
        try {
          const length = readSync(descriptor, page, 0, PAGE_BYTES, 0);
          return page.toString('latin1', 0, length).replace(/\n$/, '');
        } finally {
          closeSync(descriptor);
        }
      }),
    link: (path) =>
      present(() => {
        const target = readlinkSync(path);
        return join(dirname(path), target);
      }),
  };
}
