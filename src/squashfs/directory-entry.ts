import { struct, u16le } from '../codec/struct.ts';
import type { Ffi } from '../linux/foreign.ts';

/** struct sqfs_dir_entry_t; its name follows. Source: sqfs/dir.h. */
const DIRECTORY_ENTRY = struct('sqfs_dir_entry_t', [
  ['offset', u16le],
  ['inodeDifference', u16le],
  ['type', u16le],
  // One less than it is.
  ['nameSize', u16le],
]);
/** Linux' NAME_MAX. */
const NAME_MAX = 255;

/**
 * The name of the entry that the library gave.
 * @throws Error when it could lead out of its directory, or nobody could ever ask for it
 */
export function directoryEntry(ffi: Ffi, pointer: bigint, directory: string, free: () => void): Buffer {
  try {
    const { nameSize } = DIRECTORY_ENTRY.read(ffi.toBuffer(pointer, DIRECTORY_ENTRY.size, false), 0)[0];
    // The library has checked that so many bytes are there.
    const name = ffi.toBuffer(pointer + BigInt(DIRECTORY_ENTRY.size), Math.min(nameSize + 1, NAME_MAX + 1));
    const text = name.toString('latin1');
    if (name.length > NAME_MAX || text === '.' || text === '..' || text.includes('/') || text.includes('\0')) {
      throw new Error(`${directory} holds ${JSON.stringify(text)}, which is no name`);
    }
    return name;
  } finally {
    free();
  }
}
