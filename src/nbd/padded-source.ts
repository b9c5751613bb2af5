import type { BlockSource } from './block-source.ts';

/** `source` with zeroes behind it up to a whole number of blocks, since the kernel's devices have no half blocks. */
export function padToBlocks(source: BlockSource, blockBytes: number): BlockSource {
  const size = Math.ceil(source.size / blockBytes) * blockBytes;
  if (size === source.size) return source;
  const padded = (head: Uint8Array, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    bytes.set(head);
    return bytes;
  };
  return {
    size,
    read(offset, length, signal) {
      if (offset + length <= source.size) return source.read(offset, length, signal);
      if (offset >= source.size) return new Uint8Array(length);
      const head = source.read(offset, source.size - offset, signal);
      return head instanceof Uint8Array ? padded(head, length) : head.then((bytes) => padded(bytes, length));
    },
    release: (bytes) => source.release?.(bytes),
  };
}
