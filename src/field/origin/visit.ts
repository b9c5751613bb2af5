import { type Answer, Line, lineKey } from './line.ts';
import { type Endpoint, type NameServer, resolveHost } from './names.ts';
import type { OriginPlace } from './place.ts';
import { hostOf, portOf } from './place.ts';
import { type HttpProxy, proxyFor } from './proxy.ts';
import { undoEncoding } from './unpack.ts';

/** Servers that one answer may send on to, one after the other. */
const REDIRECTS_LIMIT = 5;
/** Lines to other servers that are kept. */
const LINES_LIMIT = 16;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** A server answered, and does not have it. */
export class NotThere extends Error {
  override readonly name = 'NotThere';
}

/** A server does not answer as it should. `restMs`: what it says itself about when to come again. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly restMs: number | undefined;

  constructor(message: string, restMs?: number) {
    super(message);
    this.restMs = restMs;
  }
}

export interface VisitorOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly names: () => NameServer;
  /** Hears of a certificate with a wrong date. */
  readonly onDate: (host: string) => void;
}

export interface Wanted {
  readonly url: URL;
  /** Bytes that the answer may have. */
  readonly limit: number;
  /** Half-open: these bytes of the file alone. */
  readonly range?: { readonly start: number; readonly end: number };
  readonly signal?: AbortSignal | undefined;
}

/** Asks one server for files, follows where it sends, and undoes what its answer is wrapped in. */
export class Visitor {
  readonly #options: VisitorOptions;
  readonly #lines = new Map<string, Line>();

  constructor(options: VisitorOptions) {
    this.#options = options;
  }

  /**
   * @param endpoint the server, or the proxy, to ask
   * @throws NotThere when it lacks the file; Refused or Error when it does not give it
   */
  async get(place: OriginPlace, endpoint: Endpoint, wanted: Wanted): Promise<Uint8Array> {
    let url = wanted.url;
    let at = endpoint;
    const seen = new Set<string>();
    for (;;) {
      seen.add(url.href);
      const answer = await this.#ask(place, url, at, wanted);
      if (!REDIRECTS.has(answer.status)) return await bodyOf(answer, wanted);
      const next = nextOf(answer, url);
      if (seen.has(next.href)) throw new Refused('redirects in a loop');
      if (seen.size > REDIRECTS_LIMIT) throw new Refused(`redirects more than ${REDIRECTS_LIMIT} times`);
      if (next.host !== url.host || next.protocol !== url.protocol) at = await this.#endpointOf(next);
      url = next;
    }
  }

  proxyOf(url: URL): HttpProxy | undefined {
    return proxyFor(url, this.#options.environment);
  }

  close(): void {
    for (const line of this.#lines.values()) line.close();
    this.#lines.clear();
  }

  #ask(place: OriginPlace, url: URL, endpoint: Endpoint, { limit, range, signal }: Wanted): Promise<Answer> {
    const headers: Record<string, string> = { 'user-agent': 'viver', 'accept-encoding': 'identity' };
    // What opens one server is told to no other.
    const isOwn = url.protocol === place.url.protocol && (place.isService || url.host === place.url.host);
    if (isOwn && place.authorization !== undefined) headers.authorization = place.authorization;
    if (range !== undefined) headers.range = `bytes=${range.start}-${range.end - 1}`;
    return this.#lineTo(url, endpoint).ask({ url, headers, limit, signal });
  }

  #lineTo(url: URL, endpoint: Endpoint): Line {
    const key = lineKey(url, `${endpoint.address}:${endpoint.port}`);
    const known = this.#lines.get(key);
    // The one used last is the last to go.
    this.#lines.delete(key);
    const { onDate } = this.#options;
    const way = { endpoint, proxy: this.proxyOf(url) };
    const line = known ?? new Line(way, url.protocol === 'https:', () => onDate(endpoint.host));
    this.#lines.set(key, line);
    for (const [oldest, other] of this.#lines) {
      if (this.#lines.size <= LINES_LIMIT) break;
      this.#lines.delete(oldest);
      other.close();
    }
    return line;
  }

  /** Of a server that was sent to. */
  async #endpointOf(url: URL): Promise<Endpoint> {
    const proxy = this.proxyOf(url);
    const [host, port] = proxy === undefined ? [hostOf(url), portOf(url)] : [proxy.host, proxy.port];
    const { endpoints } = await resolveHost(host, port, false, this.#options.names());
    const [first] = endpoints;
    if (first === undefined) throw new Refused(`redirects to ${host}, which nobody knows`);
    return { ...first, host: hostOf(url), port: portOf(url) };
  }
}

function nextOf({ headers }: Answer, from: URL): URL {
  const { location } = headers;
  const text = typeof location === 'string' && location.length < 4096 ? location : '';
  const next = text !== '' && URL.canParse(text, from) ? new URL(text, from) : undefined;
  if (next === undefined || !/^https?:$/.test(next.protocol)) throw new Refused('redirects to nowhere');
  next.hash = '';
  next.username = '';
  next.password = '';
  return next;
}

async function bodyOf({ status, headers, body }: Answer, { limit, range }: Wanted): Promise<Uint8Array> {
  if (status === 404 || status === 410) throw new NotThere(`HTTP ${status}`);
  if (status === 401 || status === 403) throw new Refused(`HTTP ${status}: wants another user, password or token`);
  if (status === 407) throw new Refused('HTTP 407: the proxy wants another user or password');
  if (status !== (range === undefined ? 200 : 206)) {
    if (status === 200) throw new Refused('does not know ranges');
    throw new Refused(`HTTP ${status}`, restOf(headers));
  }
  const encoding = headers['content-encoding'];
  return await undoEncoding(body, typeof encoding === 'string' ? encoding : undefined, limit);
}

/** Retry-After in seconds; its dates are of a clock that this machine may not have. */
function restOf(headers: Answer['headers']): number | undefined {
  const after = headers['retry-after'];
  return typeof after === 'string' && /^\d{1,5}$/.test(after) ? Number(after) * 1000 : undefined;
}
