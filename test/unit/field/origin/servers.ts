/** Web servers on loopback with the chunks of a small image, honest and others. */

import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ChunkIndex, createChunkIndex, encodeChunkIndex } from '../../../../src/image/chunk-index.ts';
import { chunkPath, packChunk } from '../../../../src/image/chunk-store.ts';

export interface SmallImage {
  readonly bytes: Buffer;
  readonly index: ChunkIndex;
  chunk(i: number): Buffer;
  /** What a store has, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export async function smallImage(chunks = 8, chunkBytes = 20_000): Promise<SmallImage> {
  const bytes = randomBytes(chunks * chunkBytes);
  const ends = Float64Array.from({ length: chunks }, (_, i) => (i + 1) * chunkBytes);
  const chunk = (i: number): Buffer => bytes.subarray(i * chunkBytes, (i + 1) * chunkBytes);
  const digests = Buffer.concat(Array.from(ends, (_, i) => createHash('sha256').update(chunk(i)).digest()));
  const index = createChunkIndex(ends, digests);
  const files = new Map<string, Uint8Array>();
  for (let i = 0; i < chunks; i++) files.set(`/${chunkPath(index.digestHex(i))}`, await packChunk(chunk(i)));
  files.set(`/${index.id}.caibx`, encodeChunkIndex(index));
  return { bytes, index, chunk, files };
}

export type Handler = (request: IncomingMessage, response: ServerResponse, file: Uint8Array | undefined) => void;

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly paths: string[];
  /** TCP connections that were opened. */
  connections(): number;
}

export const give: Handler = (_request, response, file) => {
  if (file === undefined) response.writeHead(404).end();
  else response.writeHead(200, { 'content-length': file.length }).end(file);
};

export async function serve(image: SmallImage, handler: Handler = give, host = '127.0.0.1'): Promise<TestServer> {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    response.on('error', () => {}); // who hangs up in the middle is what is tested
    paths.push(request.url ?? '');
    handler(request, response, image.files.get(request.url ?? ''));
  });
  return await listening(server, paths, host);
}

export async function listening(server: Server, paths: string[], host = '127.0.0.1'): Promise<TestServer> {
  let connections = 0;
  server.on('connection', () => {
    connections++;
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/`,
    port,
    paths,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
