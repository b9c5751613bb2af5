/** Where a bzImage says what it is: Documentation/arch/x86/boot.rst. */
const MAGIC_AT = 0x202;
const MAGIC = 'HdrS';
const VERSION_POINTER_AT = 0x20e;
const SETUP_BYTES = 0x200;
/** How much of a kernel has its version: it lies in the set-up code of at most 64 sectors. */
export const KERNEL_HEAD_BYTES = 64 * 1024;
const LONGEST_VERSION = 256;

/** The version (uname -r) in the head of an x86 kernel; undefined: it is none, or says nothing. */
export function kernelImageVersion(head: Uint8Array): string | undefined {
  return /^[!-~]+(?= |$)/.exec(kernelImageBuild(head) ?? '')?.[0];
}

/** All that it says of itself: version (uname -r), who built it, and which build it is (uname -v). */
export function kernelImageBuild(head: Uint8Array): string | undefined {
  const bytes = Buffer.from(head);
  if (bytes.length < VERSION_POINTER_AT + 2 || bytes.toString('latin1', MAGIC_AT, MAGIC_AT + 4) !== MAGIC)
    return undefined;
  const pointer = bytes.readUInt16LE(VERSION_POINTER_AT);
  if (pointer === 0) return undefined;
  const text = bytes.toString('latin1', pointer + SETUP_BYTES, pointer + SETUP_BYTES + LONGEST_VERSION);
  return /^[ -~]+(?=\0)/.exec(text)?.[0];
}
