/** Looks into an ISO file without mounting it: ECMA-119, sections 8.4 (descriptor) and 9.1 (directory record). */
import { Head } from './content/head.ts';
import type { Probe } from './content/probe.ts';

const BLOCK_BYTES = 2048;
const DESCRIPTOR = 16 * BLOCK_BYTES;
const ROOT_RECORD = 156;
/** A root directory with thousands of names is longer; VIVER's own has a few. */
const MOST_BYTES = 256 * 1024;
const DIRECTORY_FLAG = 2;

const latin = new TextDecoder('latin1');

/** Whether the ISO's root holds a directory of that name, in any case. Any bytes give an answer. */
export function* hasDirectory(name: string): Probe<boolean> {
  const descriptor = new Head(yield { offset: DESCRIPTOR, length: BLOCK_BYTES }, BLOCK_BYTES);
  if (descriptor.u8(0) !== 1 || !descriptor.has(1, 'CD001')) return false;
  const length = Math.min(descriptor.u32(ROOT_RECORD + 10), MOST_BYTES);
  const bytes = yield { offset: descriptor.u32(ROOT_RECORD + 2) * BLOCK_BYTES, length };
  const directory = new Head(bytes, length);
  for (let at = 0; at + 34 <= length; ) {
    const size = directory.u8(at);
    if (size === 0) {
      // no record crosses a block
      at += BLOCK_BYTES - (at % BLOCK_BYTES);
      continue;
    }
    const nameBytes = directory.u8(at + 32);
    const isDirectory = at + 33 + nameBytes <= length && (directory.u8(at + 25) & DIRECTORY_FLAG) !== 0;
    if (isDirectory && latin.decode(directory.bytes(at + 33, nameBytes)).toLowerCase() === name.toLowerCase())
      return true;
    at += size;
  }
  return false;
}
