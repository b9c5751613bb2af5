import type { ChunkIndex } from '../../image/chunk-index.ts';
import { ChunkCorruptError } from '../../image/chunk-source.ts';
import { ChunkFiles } from './chunk-files.ts';
import { Directory } from './directory.ts';
import { type NameServer, systemNames } from './names.ts';
import { parseOrigin } from './place.ts';
import type { OriginServer } from './server.ts';
import { NotThere, Refused, Visitor } from './visit.ts';

/** Trouble with one origin is told no more often than this. */
const SAY_MS = 10_000;
/** Servers that one chunk is asked of at the same time. */
const AT_ONCE = 2;
/** What a server that was not measured yet is taken for, when no other was: bytes per second. */
const UNKNOWN_RATE = 8 << 20;

export interface OriginsOptions {
  readonly log?: (line: string) => void;
  /** For proxies. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** The network's name servers; none: those of /etc/resolv.conf. */
  readonly nameServers?: () => readonly string[];
  /** In place of DNS. */
  readonly names?: () => NameServer;
}

/** How an origin does, as the status has it. Bytes, and bytes per second. */
export interface OriginStatus {
  readonly name: string;
  readonly state: 'asked' | 'resting' | 'unknown';
  readonly bytes: number;
  readonly rate: number | null;
  readonly failures: number;
  readonly fault: string | null;
}

/** A read waits for it. */
export interface Haste {
  urgent: boolean;
}

/** What is asked of one server after another until one gives it. */
interface Errand<T> {
  readonly haste: Readonly<Haste>;
  readonly what: string;
  /** Names it where a server is remembered to lack it. */
  readonly file: string;
  readonly bytes: number;
  readonly ask: (server: OriginServer, signal: AbortSignal) => Promise<{ readonly value: T; readonly sent: number }>;
}

/**
 * Web servers that have images: where chunks come from when no peer has them. They are asked by how fast each has been,
 * another one when one is late or fails; one that fails is left alone for a while that grows.
 */
export class Origins {
  readonly count: number;
  readonly #log: (line: string) => void;
  readonly #visitor: Visitor;
  readonly #files: ChunkFiles;
  readonly #directory: Directory;
  readonly #saidAt = new Map<string, number>();
  readonly #dated = new Set<string>();
  /** Those that wait for a server to have room. */
  #waiting: { readonly haste: Readonly<Haste>; readonly look: () => void }[] = [];

  /** @throws Error when one is no http or https URL */
  constructor(urls: readonly string[], options: OriginsOptions = {}) {
    const places = urls.map(parseOrigin);
    const { environment = process.env, nameServers = () => [] } = options;
    const names = options.names ?? (() => systemNames(nameServers()));
    this.count = places.length;
    this.#log = options.log ?? (() => {});
    this.#visitor = new Visitor({ environment, names, onDate: (host) => this.#wrongDate(host) });
    this.#files = new ChunkFiles(this.#visitor);
    const proxyOf = (url: URL) => this.#visitor.proxyOf(url);
    for (const { url } of places) proxyOf(url); // a proxy that is none is told of at once
    this.#directory = new Directory(places, { names, proxyOf, log: (line) => this.#log(line) });
  }

  /** Bytes that came, as they were sent. */
  get bytes(): number {
    return this.#directory.servers.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * The chunk's bytes, verified.
   * @param haste what is not urgent leaves the most of each server to what is; it may become so
   * @throws Error when no origin gives it now
   */
  fetch(index: ChunkIndex, chunk: number, haste: Readonly<Haste> = { urgent: true }): Promise<Uint8Array> {
    const bytes = index.length(chunk);
    return this.#run({
      haste,
      what: `chunk ${chunk}`,
      file: index.digestHex(chunk),
      bytes,
      ask: async ({ place, endpoint }, signal) => {
        const { bytes, sent } = await this.#files.chunk(place, endpoint, index, chunk, signal);
        return { value: bytes, sent };
      },
    });
  }

  /** The index of an image, checked against its id. @throws Error when no origin gives it now */
  index(id: string): Promise<ChunkIndex> {
    return this.#run({
      haste: { urgent: true },
      what: `the index of ${id.slice(0, 12)}`,
      file: `${id}.caibx`,
      bytes: 1 << 20,
      ask: async ({ place, endpoint }, signal) => {
        const value = await this.#files.index(place, endpoint, id, signal);
        return { value, sent: 0 };
      },
    });
  }

  /** A small file beside the image or in its store, by its suffix (`.profile`). @throws Error when no origin has it */
  beside(id: string, suffix: string, limit: number): Promise<Uint8Array> {
    return this.#run({
      haste: { urgent: false },
      what: `${id.slice(0, 12)}${suffix}`,
      file: `${id}${suffix}`,
      bytes: 1 << 16,
      ask: async ({ place, endpoint }, signal) => {
        const ofImage = place.url.href.replace(/\.sqfs$/, suffix);
        const url = place.kind === 'image' ? new URL(ofImage) : new URL(`${id}${suffix}`, place.url);
        return { value: await this.#visitor.get(place, endpoint, { url, limit, signal }), sent: 0 };
      },
    });
  }

  status(): OriginStatus[] {
    const now = performance.now();
    const unknown = this.#directory.faults.map(
      ({ name, fault }): OriginStatus => ({ name, state: 'unknown', bytes: 0, rate: null, failures: 0, fault }),
    );
    return this.#directory.servers
      .map((server): OriginStatus => {
        const { name, bytes, rate, failures, fault } = server;
        const state = server.isResting(now) ? 'resting' : 'asked';
        return {
          name,
          state,
          bytes,
          rate: rate === undefined ? null : Math.round(rate),
          failures,
          fault: fault ?? null,
        };
      })
      .concat(unknown);
  }

  close(): void {
    this.#visitor.close();
  }

  async #run<T>(errand: Errand<T>): Promise<T> {
    await this.#directory.refresh(performance.now());
    const tried = new Set<OriginServer>();
    const reasons: string[] = [];
    const stop = new AbortController();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let running = 0;
    let isOver = false;
    const askNext = async (): Promise<void> => {
      const server = await this.#choose(errand, tried);
      if (isOver || (server === undefined && running > 0)) return;
      if (server === undefined) {
        isOver = true;
        reject(new Error(`no origin gives ${errand.what}${reasons.length === 0 ? ' now' : `: ${reasons.join('; ')}`}`));
        return;
      }
      tried.add(server);
      running++;
      // Late: another one is asked too, and whoever is first is taken.
      const timer = setTimeout(() => {
        server.late();
        if (running < AT_ONCE) void askNext();
      }, server.patienceMs);
      try {
        const value = await this.#ask(server, errand, stop.signal);
        isOver = true;
        resolve(value);
      } catch (error) {
        reasons.push(`${server.name}: ${error instanceof Error ? error.message : String(error)}`);
      } finally {
        clearTimeout(timer);
        running--;
      }
      if (!isOver) await askNext();
    };
    void askNext();
    return await promise.finally(() => stop.abort());
  }

  /** The server that would be first to give it; waits while those that could have no room. */
  async #choose<T>(
    { file, bytes, haste }: Errand<T>,
    tried: ReadonlySet<OriginServer>,
  ): Promise<OriginServer | undefined> {
    for (;;) {
      const now = performance.now();
      const able = this.#directory.servers.filter(
        (server) => !tried.has(server) && !server.isResting(now) && !server.lacks(file, now),
      );
      if (able.length === 0) return undefined;
      const unknownRate = Math.max(UNKNOWN_RATE, ...able.map(({ rate }) => rate ?? 0));
      const ranked = able.toSorted(
        (a, b) =>
          a.endpoint.priority - b.endpoint.priority ||
          a.delay(bytes, unknownRate, now) - b.delay(bytes, unknownRate, now),
      );
      const free = ranked.find((server) => server.hasRoom(bytes, haste.urgent));
      if (free !== undefined) return free;
      await new Promise<void>((look) => this.#waiting.push({ haste, look }));
    }
  }

  async #ask<T>(server: OriginServer, { ask, bytes, file }: Errand<T>, signal: AbortSignal): Promise<T> {
    const begunAt = performance.now();
    const { patienceMs } = server;
    server.begun(bytes, begunAt);
    try {
      const { value, sent } = await ask(server, signal);
      const now = performance.now();
      if (server.gave(sent, now - begunAt, now)) this.#say(server.name, `origin ${server.name} gives again`, true);
      return value;
    } catch (error) {
      if (!signal.aborted) this.#failed(server, file, error);
      // Another was faster.
      else if (performance.now() - begunAt >= patienceMs) this.#outrun(server);
      throw error;
    } finally {
      server.ended(bytes);
      const waiting = this.#waiting;
      this.#waiting = [];
      // In this order they look: what reads wait for first.
      for (const urgent of [true, false]) for (const each of waiting) if (each.haste.urgent === urgent) each.look();
    }
  }

  #outrun(server: OriginServer): void {
    const rest = server.outrun(performance.now());
    if (rest > 0) this.#sayResting(server, rest);
  }

  #sayResting({ name, fault }: OriginServer, restMs: number): void {
    this.#say(name, `origin ${name}: ${fault}; not asked for ${(restMs / 1000).toFixed(1)} s`);
  }

  #failed(server: OriginServer, file: string, error: unknown): void {
    const now = performance.now();
    const why = error instanceof Error ? error.message : String(error);
    if (error instanceof NotThere) server.lacked(file, now);
    else if (error instanceof ChunkCorruptError) {
      server.gaveFalse(file, why, now);
      this.#say(server.name, `origin ${server.name}: ${why}`);
    } else {
      const rest = server.failed(why, error instanceof Refused ? error.restMs : undefined, now);
      this.#sayResting(server, rest);
    }
  }

  #say(name: string, line: string, isNews = false): void {
    const now = performance.now();
    if (!isNews && now - (this.#saidAt.get(name) ?? Number.NEGATIVE_INFINITY) < SAY_MS) return;
    this.#saidAt.set(name, now);
    this.#log(line);
  }

  #wrongDate(host: string): void {
    if (this.#dated.has(host)) return;
    this.#dated.add(host);
    const clock = new Date().toISOString().slice(0, 10);
    this.#log(
      `origin ${host}: its certificate is not of today, ${clock}; what it gives is checked by its hash all the same`,
    );
  }
}
