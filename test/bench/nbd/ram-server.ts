import { readFileSync } from 'node:fs';
import type { BlockSource } from '../../../src/nbd/block-source.ts';
import { NbdServer } from '../../../src/nbd/server.ts';

/** ram-server.ts SOCKET IMAGE [async]: the NBD front end alone, from memory. */
const [, , path = '', image = '', mode] = process.argv;
const bytes = readFileSync(image);
const read = (offset: number, length: number): Uint8Array => bytes.subarray(offset, offset + length);
const source: BlockSource = {
  size: bytes.length,
  read: mode === 'async' ? (offset, length) => Promise.resolve(read(offset, length)) : read,
};
await new NbdServer({ source }).listen({ path });
