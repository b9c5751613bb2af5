import { readFileSync } from 'node:fs';
import { NbdServer } from '../../../src/nbd/server.ts';

/** ram-server.ts SOCKET IMAGE: the NBD front end alone, from memory. */
const [, , path = '', image = ''] = process.argv;
const bytes = readFileSync(image);
const source = {
  size: bytes.length,
  read: (offset: number, length: number): Uint8Array => bytes.subarray(offset, offset + length),
};
await new NbdServer({ source }).listen({ path });
