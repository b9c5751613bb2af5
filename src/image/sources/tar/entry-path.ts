import { readable } from '../report.ts';
import { TarError } from './tar-error.ts';

/** NAME_MAX: no file system of Linux has longer names. */
const LONGEST_NAME = 255;

/**
 * The path of a member below the root of its tree. A slash in front is that root's; `.` and empty parts mean nothing.
 * @throws TarError for a name that leads out of the tree, or that no file can have
 */
export function treePath(name: Uint8Array, what = 'a member'): Buffer {
  if (name.includes(0)) throw new TarError(`${what} with a NUL in its name`);
  const parts = Buffer.from(name)
    .toString('latin1')
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new TarError(`${what} named ${readable(name)}, which leads out of the tree (..)`);
  if (parts.some((part) => part.length > LONGEST_NAME)) {
    throw new TarError(`${what} with a name longer than ${LONGEST_NAME} bytes: ${readable(name).slice(0, 60)}…`);
  }
  return Buffer.from(parts.join('/'), 'latin1');
}
