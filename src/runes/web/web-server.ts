import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { printable } from '../../codec/printable.ts';
import { unacknowledgedBytes } from '../../linux/socket/socket-option.ts';
import { ConnectionShares } from './connection-shares.ts';
import { arrivalWaitsMs } from './flight.ts';

/** What a path gives. */
export type Answer =
  | { readonly kind: 'text'; readonly type: string; readonly text: string }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly sizeBytes: number;
      /** Only this of it is sent. */
      readonly part?: { readonly start: number; readonly end: number };
      /** Told while it is sent: how much of the file is on its way, 0 to 1. */
      readonly onProgress?: (share: number) => void;
      /** At most so many bytes are sent before all of them have been acknowledged; default: TCP decides. */
      readonly flightBytes?: number;
    }
  | { readonly kind: 'redirect'; readonly to: string }
  | { readonly kind: 'unavailable'; readonly why: string }
  /** Asked too often by one address. */
  | { readonly kind: 'limited' }
  /** Asked without the password. */
  | { readonly kind: 'locked' };

/** Requests that were not served, by what was wrong with them. */
export interface Refusals {
  /** A path that tries to leave its place, or cannot be a path. */
  escape: number;
  /** No such thing here. */
  unknown: number;
  /** Not GET or HEAD. */
  method: number;
  /** Not HTTP, a header too large, or too slow to ask. */
  broken: number;
  /** More questions or connections than one address may have. */
  limited: number;
  /** Asked without the password. */
  locked: number;
}

export interface WebServerOptions {
  /**
   * Answers a path, which begins with a slash and has neither `..` nor escapes; undefined: nothing there.
   * `from` is the address that asks, `authorization` the header of that name.
   */
  readonly answer: (
    path: string,
    query: URLSearchParams,
    from: string,
    authorization: string | undefined,
  ) => Answer | undefined | Promise<Answer | undefined>;
  /** @param from the address whose question it is about */
  readonly log: (line: string, from: string) => void;
}

/** Boot files are large and asked for by few at a time; whoever takes longer than this to ask is no boot loader. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Nothing taken for so long: the machine was switched off. */
const IDLE_TIMEOUT_MS = 30_000;
const MOST_CONNECTIONS = 1024;
const MOST_PER_CONNECTION = 1000;
/** Asked on one connection before the first of them is answered: no boot loader or browser asks for a second one so soon. */
const MOST_WAITING = 8;
const HEADER_BYTES = 8192;
const LONGEST_PATH = 512;
/** Read of a file at once. Who takes nothing holds two such pieces, so all transfers share what they may have. */
const READ_BYTES = { most: 1 << 20, least: 1 << 16, ofAll: 16 << 20 };

/**
 * The path and query of a request's target.
 * @returns undefined for what no boot loader or browser asks: another form, `..` plain or escaped, control characters
 */
export function parseTarget(target: string): { readonly path: string; readonly query: URLSearchParams } | undefined {
  const [raw = '', query = ''] = target.split('?', 2);
  if (target.length > LONGEST_PATH || !raw.startsWith('/') || raw.startsWith('//')) return undefined;
  if (!/^[A-Za-z0-9/._+-]+$/.test(raw) || raw.split('/').some((part) => part === '..' || part === '.'))
    return undefined;
  return { path: raw, query: new URLSearchParams(query) };
}

/** A web server for boot files and status: a table of answers, and nothing of the file system beyond it. */
export class WebServer {
  readonly refused: Refusals = { escape: 0, unknown: 0, method: 0, broken: 0, limited: 0, locked: 0 };
  readonly #options: WebServerOptions;
  readonly #server: Server;
  readonly #connections = new ConnectionShares(MOST_CONNECTIONS);
  /** Requests of each connection that are not answered yet. */
  readonly #waiting = new WeakMap<Socket, { count: number; last: Promise<void> }>();
  #transfers = 0;
  #sentBytes = 0;

  constructor(options: WebServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        headersTimeout: REQUEST_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: 1000,
        keepAliveTimeout: 5000,
        maxHeaderSize: HEADER_BYTES,
        noDelay: true,
      },
      (request, response) => this.#enqueue(request, response),
    );
    this.#server.maxRequestsPerSocket = MOST_PER_CONNECTION;
    this.#server.timeout = IDLE_TIMEOUT_MS;
    this.#server.on('connection', (socket) => {
      if (this.#connections.take(socket)) return;
      this.refused.limited++;
      socket.destroy();
    });
    // A connection that could not be taken, for want of memory or of the system's files.
    this.#server.on('error', () => {
      this.refused.limited++;
    });
    this.#server.on('clientError', (_, socket) => {
      this.refused.broken++;
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      else socket.destroy();
    });
  }

  /** One after another, RFC 9112 section 9.3.2: a thousand requests in one packet open no thousand files. */
  #enqueue(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    if (socket.destroyed) return;
    const waiting = this.#waiting.get(socket) ?? { count: 0, last: Promise.resolve() };
    this.#waiting.set(socket, waiting);
    if (waiting.count >= MOST_WAITING) {
      this.refused.limited++;
      socket.destroy();
      return;
    }
    waiting.count++;
    waiting.last = waiting.last.then(() => this.#serve(request, response)).finally(() => waiting.count--);
  }

  /** Files being sent now. */
  get transfers(): number {
    return this.#transfers;
  }

  /** Bytes of files sent so far. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** @returns the port */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        const bound = this.#server.address();
        resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { remoteAddress = '' } = request.socket;
    try {
      if (request.socket.destroyed) return;
      await this.#answer(request, response);
    } catch (error) {
      const cut = request.destroyed || response.destroyed;
      const why = error instanceof Error ? error.message : String(error);
      if (!cut) this.#options.log(printable(`${request.url}: ${why}`), remoteAddress);
      if (response.headersSent) response.destroy();
      else this.#short(response, 500, 'failed');
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      this.refused.method++;
      response.setHeader('Allow', 'GET, HEAD');
      this.#short(response, 405, 'only GET and HEAD');
      return;
    }
    const target = parseTarget(request.url ?? '');
    if (target === undefined) {
      this.refused.escape++;
      this.#short(response, 400, 'no such path can be');
      return;
    }
    const { remoteAddress = '' } = request.socket;
    const { authorization } = request.headers;
    const answer = await this.#options.answer(target.path, target.query, remoteAddress, authorization);
    if (answer === undefined) {
      this.refused.unknown++;
      this.#short(response, 404, 'not here');
    } else if (answer.kind === 'unavailable') {
      response.setHeader('Retry-After', '2');
      this.#short(response, 503, answer.why);
    } else if (answer.kind === 'limited') {
      this.refused.limited++;
      response.setHeader('Retry-After', '1');
      this.#short(response, 429, 'too many questions, ask again in a second');
    } else if (answer.kind === 'locked') {
      this.refused.locked++;
      response.setHeader('WWW-Authenticate', 'Basic realm="VIVER", charset="UTF-8"');
      this.#short(response, 401, 'the password is wanted (any name with it)');
    } else if (answer.kind === 'redirect') {
      response.writeHead(302, { Location: answer.to, 'Content-Length': 0 }).end();
    } else if (answer.kind === 'text') {
      const body = Buffer.from(answer.text);
      response.writeHead(200, {
        'Content-Type': answer.type,
        'Content-Length': body.length,
        'Cache-Control': 'no-store',
        'Content-Security-Policy':
          "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:",
        'X-Content-Type-Options': 'nosniff',
      });
      response.end(request.method === 'HEAD' ? undefined : body);
    } else {
      await this.#file(request, response, answer);
    }
  }

  /** One range at most, RFC 9110 section 14: iPXE goes on with it where a connection broke. */
  async #file(
    request: IncomingMessage,
    response: ServerResponse,
    { path, sizeBytes, part, onProgress, flightBytes }: Answer & { kind: 'file' },
  ): Promise<void> {
    const range = part === undefined ? parseRange(request.headers.range, sizeBytes) : undefined;
    const { start, end } = range ?? part ?? { start: 0, end: sizeBytes };
    response.setHeader('Content-Type', 'application/octet-stream');
    response.setHeader('Accept-Ranges', 'bytes');
    response.setHeader('Content-Length', end - start);
    if (range !== undefined) response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${sizeBytes}`);
    response.writeHead(range === undefined ? 200 : 206);
    if (request.method === 'HEAD' || end === start) {
      response.end();
      return;
    }
    this.#transfers++;
    const before = request.socket.bytesWritten;
    try {
      const highWaterMark = flightBytes === undefined ? readBytesFor(this.#transfers) : READ_BYTES.least;
      const file = createReadStream(path, { start, end: end - 1, highWaterMark });
      let at = start;
      const counted = async function* (parts: AsyncIterable<Buffer>) {
        for await (const piece of parts) {
          yield piece;
          at += piece.length; // taken, when the next is asked for
          onProgress?.(part === undefined ? at / sizeBytes : (at - start) / (end - start));
        }
      };
      if (flightBytes === undefined) await pipeline(file, counted, response);
      else await pipeline(file, counted, inFlights(flightBytes, request.socket), response);
    } finally {
      this.#transfers--;
      this.#sentBytes += request.socket.bytesWritten - before;
    }
  }

  #short(response: ServerResponse, status: number, text: string): void {
    response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': text.length + 1 });
    response.end(`${text}\n`);
  }
}

function readBytesFor(transfers: number): number {
  const { most, least, ofAll } = READ_BYTES;
  return Math.max(least, Math.min(most, Math.floor(ofAll / transfers)));
}

/** Gives the next bytes when the other end has acknowledged all before them. */
function inFlights(bytes: number, socket: Socket) {
  return async function* (parts: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of parts) {
      for (let at = 0; at < piece.length; at += bytes) {
        yield piece.subarray(at, at + bytes);
        for (const waitMs of arrivalWaitsMs()) {
          // Who is gone acknowledges nothing more.
          if (socket.destroyed || (socket.writableLength === 0 && (unacknowledgedBytes(socket) ?? 0) === 0)) break;
          await sleep(waitMs);
        }
      }
    }
  };
}

/** `bytes=A-`, `bytes=A-B`, `bytes=-N`; undefined for none, and for what may be ignored (RFC 9110, section 14.2). */
export function parseRange(header: string | undefined, sizeBytes: number): { start: number; end: number } | undefined {
  const found = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (found === null) return undefined;
  const [, first = '', last = ''] = found;
  if (first === '' && last === '') return undefined;
  if (first === '')
    return Number(last) === 0 ? undefined : { start: Math.max(0, sizeBytes - Number(last)), end: sizeBytes };
  const start = Number(first);
  const end = last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  return start < end ? { start, end } : undefined;
}

/** `START-END` of a query, half-open: for who cannot send a Range header. undefined for none, and for what is no part. */
export function parsePart(text: string | null, sizeBytes: number): { start: number; end: number } | undefined {
  const [, first, last] = /^(\d{1,15})-(\d{1,15})$/.exec(text ?? '') ?? [];
  const [start, end] = [Number(first), Number(last)];
  return first !== undefined && start < end && end <= sizeBytes ? { start, end } : undefined;
}
