import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { request as requestHttps, Agent as TlsAgent } from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { openTcp, openTls, type Way } from './connect.ts';
import { portOf } from './place.ts';

/** Connections of HTTP/1.1 to one server. */
export const CONNECTIONS = 12;
/** Who sends less than so much in so long is given up. */
const LOOK_MS = 5000;
const LOOK_BYTES = 5 << 10;
/** A connection that many requests share is doubted when nothing has come on it for so long. */
const SILENT_MS = 500;
/** What an answer that is no chunk may have: it is read, so that its connection can be used again. */
const REFUSAL_BYTES = 64 << 10;
/** HTTP/2: bytes that may be on their way on a connection. */
const WINDOW_BYTES = 8 << 20;
const STREAM_BYTES = 1 << 20;

export interface Question {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes that the answer may have. */
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly status: number;
  /** Empty unless the status is 200 or 206. */
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A connection of HTTP/2 that many requests share. */
interface Session {
  readonly http2: ClientHttp2Session;
  /** When anything last came on it, in performance.now() milliseconds. */
  heardAt: number;
}

/** Connections to one server that are kept: HTTP/2 where it is spoken over TLS, else HTTP/1.1. */
export class Line {
  readonly #way: Way;
  readonly #isTls: boolean;
  readonly #onDate: () => void;
  readonly #agent: Agent;
  /** undefined: not known yet. */
  #session: Promise<Session | undefined> | undefined;

  /** @param onDate hears that the server's certificate has a wrong date */
  constructor(way: Way, isTls: boolean, onDate: () => void) {
    this.#way = way;
    this.#isTls = isTls;
    this.#onDate = onDate;
    const options = { keepAlive: true, maxSockets: CONNECTIONS, scheduling: 'lifo' as const };
    this.#agent = isTls ? new TlsAgent(options) : new Agent(options);
    const open = isTls ? () => openTls(way, ['http/1.1'], onDate) : () => openTcp(way);
    // Node's types do not know that the socket may come later; its agents do.
    const agent = this.#agent as unknown as {
      createConnection: (options: unknown, done: (error: Error | null, socket?: Socket) => void) => undefined;
    };
    agent.createConnection = (_options, done) => {
      open().then((socket) => done(null, socket), done);
      return undefined;
    };
  }

  /** @throws Error when there is no whole answer, or it has more bytes than it may */
  async ask(question: Question): Promise<Answer> {
    const session = this.#isTls ? await this.#http2() : undefined;
    if (session === undefined) return await this.#askHttp1(question);
    const beganAt = performance.now();
    try {
      return await askHttp2(session, question);
    } catch (error) {
      // Whether given up or overtaken by another server's answer: a connection on which nothing has come meanwhile may be
      // dead, which the kernel would find out in a quarter of an hour. The next question opens another.
      if (session.heardAt < beganAt && performance.now() - beganAt >= SILENT_MS) session.http2.destroy();
      throw error;
    }
  }

  close(): void {
    this.#agent.destroy();
    this.#session?.then(
      (session) => session?.http2.destroy(),
      () => {}, // was told to who asked
    );
    this.#session = undefined;
  }

  async #http2(): Promise<Session | undefined> {
    const known = this.#session;
    const session = await known;
    const isEnding = session !== undefined && (session.http2.destroyed || session.http2.closed);
    if (known !== undefined && !isEnding) return session;
    // Somebody else may have opened another one while this was waited for.
    if (this.#session === known) this.#session = undefined;
    this.#session ??= this.#openHttp2();
    return await this.#session;
  }

  #openHttp2(): Promise<Session | undefined> {
    const opening = this.#connectHttp2(() => {
      if (this.#session === opening) this.#session = undefined;
    });
    opening.catch(() => {
      if (this.#session === opening) this.#session = undefined;
    });
    return opening;
  }

  async #connectHttp2(forget: () => void): Promise<Session | undefined> {
    const socket: TLSSocket = await openTls(this.#way, ['h2', 'http/1.1'], this.#onDate);
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy();
      return undefined;
    }
    const { host, port } = this.#way.endpoint;
    const authority = `https://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
    const settings = { initialWindowSize: STREAM_BYTES, enablePush: false };
    const http2 = connectHttp2(authority, { createConnection: () => socket, settings });
    http2.setLocalWindowSize(WINDOW_BYTES);
    // Its streams hear of errors too, and tell who asked.
    http2.on('error', forget).on('close', forget).on('goaway', forget);
    return { http2, heardAt: performance.now() };
  }

  #askHttp1({ url, headers, limit, signal }: Question): Promise<Answer> {
    const { endpoint, proxy } = this.#way;
    // A proxy of plain HTTP is asked for the whole URL (RFC 9112, 3.2.2); through CONNECT the server itself answers.
    const isForProxy = proxy !== undefined && !this.#isTls;
    const request = (this.#isTls ? requestHttps : requestHttp)({
      agent: this.#agent,
      host: endpoint.address,
      port: endpoint.port,
      path: isForProxy ? url.href : `${url.pathname}${url.search}`,
      headers: {
        host: url.host,
        ...headers,
        ...(isForProxy && proxy.authorization !== undefined ? { 'proxy-authorization': proxy.authorization } : {}),
      },
      ...(signal === undefined ? {} : { signal }),
    });
    return collect(limit, (collector) => watchHttp1(request, collector));
  }
}

/** The body of an answer as it comes. */
interface Collector {
  /** False: it is not wanted. */
  begin(status: number, headers: Answer['headers'], length: number): void;
  data(bytes: Uint8Array): void;
  end(): void;
  fail(error: Error): void;
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

/**
 * Gathers an answer, and gives it up when it has too much or comes too slowly. `ask` gives what ends the request.
 * @throws Error then, and what `ask` throws
 */
export function collect(limit: number, ask: (collector: Collector) => (error: Error) => void): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const parts: Uint8Array[] = [];
  let status = 0;
  let headers: Answer['headers'] = {};
  let size = 0;
  let seen = 0;
  const isWanted = (): boolean => status === 200 || status === 206;
  let abort: (error: Error) => void = () => {};
  const stop = (error: Error): void => {
    clearInterval(timer);
    reject(error);
    abort(error);
  };
  const tooMuch = (): void => stop(new Error(`sends more than the ${limit} bytes there can be`));
  const timer = setInterval(() => {
    if (size - seen < LOOK_BYTES) {
      stop(new Error(size === 0 ? `no answer in ${LOOK_MS / 1000} s` : `${size - seen} bytes in ${LOOK_MS / 1000} s`));
    }
    seen = size;
  }, LOOK_MS);
  const collector: Collector = {
    begin(newStatus, newHeaders, length) {
      status = newStatus;
      headers = newHeaders;
      if (isWanted() && length > limit) tooMuch();
    },
    data(bytes) {
      size += bytes.length;
      if (size > (isWanted() ? limit : REFUSAL_BYTES)) tooMuch();
      else if (isWanted()) parts.push(bytes);
    },
    end() {
      clearInterval(timer);
      const [only] = parts;
      const body = parts.length === 1 && only !== undefined ? asBuffer(only) : Buffer.concat(parts);
      resolve({ status, headers, body });
    },
    fail(error) {
      clearInterval(timer);
      reject(error);
    },
  };
  try {
    abort = ask(collector);
  } catch (error) {
    collector.fail(error instanceof Error ? error : new Error(String(error)));
  }
  return promise;
}

function watchHttp1(request: ClientRequest, collector: Collector): (error: Error) => void {
  request.on('error', (error) => collector.fail(error));
  request.on('response', (response: IncomingMessage) => {
    collector.begin(response.statusCode ?? 0, response.headers, Number(response.headers['content-length'] ?? 0));
    response.on('data', (bytes: Buffer) => collector.data(bytes));
    response.on('error', (error) => collector.fail(error));
    response.on('end', () => {
      if (response.complete) collector.end();
      else collector.fail(new Error('closed the connection in the middle'));
    });
  });
  request.end();
  return (error) => request.destroy(error);
}

function askHttp2(session: Session, { url, headers, limit, signal }: Question): Promise<Answer> {
  return collect(limit, (collector) => {
    const stream = session.http2.request(
      { ':path': `${url.pathname}${url.search}`, ':authority': url.host, ...headers },
      {
        ...(signal === undefined ? {} : { signal }),
      },
    );
    let isWhole = false;
    const heard = (): void => {
      session.heardAt = performance.now();
    };
    stream.on('response', heard).on('data', heard);
    stream.on('response', (fields) => {
      const length = Number(fields['content-length'] ?? 0);
      collector.begin(Number(fields[':status']), fields as Answer['headers'], length);
    });
    stream.on('data', (bytes: Buffer) => collector.data(bytes));
    stream.on('end', () => {
      isWhole = stream.rstCode === constants.NGHTTP2_NO_ERROR && !stream.aborted;
      if (isWhole) collector.end();
    });
    stream.on('error', (error) => collector.fail(error));
    stream.on('close', () => {
      if (!isWhole) collector.fail(new Error(`closed the stream (${stream.rstCode})`));
    });
    stream.end();
    return () => stream.close(constants.NGHTTP2_CANCEL);
  });
}

/** Lines to servers that were sent to by others are told apart by this. */
export function lineKey(url: URL, address: string): string {
  return `${url.protocol}//${address}:${portOf(url)}/${url.hostname}`;
}
