import { hasCode } from './errno.ts';
import { call } from './libc.ts';

/** lseek(2), include/uapi/linux/fs.h. */
const SEEK_DATA = 3;

/**
 * Where data begins at or after `offset` of an open file; undefined when only a hole follows. A file system that knows
 * no holes says that all is data. Moves the file's own position, which reads at a given one do not look at.
 */
export function nextData(fd: number, offset: number): number | undefined {
  try {
    return Number(call('lseek', 'SEEK_DATA', (c) => c.lseek(fd, BigInt(offset), SEEK_DATA)));
  } catch (error) {
    if (hasCode(error, 'ENXIO')) return undefined;
    if (hasCode(error, 'EINVAL')) return offset; // file systems that do not take the word
    throw error;
  }
}
