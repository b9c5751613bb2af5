import { closeSync, openSync, readSync } from 'node:fs';

/** A kernel's header and its tables lie in its first pages. */
const HEAD_BYTES = 4096;
/** Microsoft's "PE Format": offset of the PE header, magic of PE32+, entry 4 of the data directories (certificates). */
const PE_OFFSET = 0x3c;
const PE32_PLUS = 0x20b;
const CERTIFICATES = 24 + 112 + 4 * 8;

/** Whether the head of a UEFI program says that a signature follows; whose it is, and whether it is right, is not looked at. Pure. */
export function bearsSignature(head: Buffer): boolean {
  if (head.length < PE_OFFSET + 4 || head.toString('latin1', 0, 2) !== 'MZ') return false;
  const at = head.readUInt32LE(PE_OFFSET);
  if (at + CERTIFICATES + 8 > head.length || head.toString('latin1', at, at + 4) !== 'PE\0\0') return false;
  if (head.readUInt16LE(at + 24) !== PE32_PLUS) return false;
  return head.readUInt32LE(at + CERTIFICATES) > 0 && head.readUInt32LE(at + CERTIFICATES + 4) > 0;
}

/** The same of a file. */
export function isSignedProgram(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return bearsSignature(head.subarray(0, readSync(file, head, 0, HEAD_BYTES, 0)));
  } finally {
    closeSync(file);
  }
}
