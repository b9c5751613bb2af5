import type { Endpoint } from './names.ts';
import type { OriginPlace } from './place.ts';

/** After a failure a server is left alone so long, twice as long after each further one. */
const REST_MS = 500;
const REST_MOST_MS = 15_000;
/** What it gave and was false: a cache may have one bad file, and a liar has many. */
const FALSE_REST_MS = 60_000;
const FALSE_ALLOWED = 3;
/** So often, one after the other, another server may have given what this one was late with. */
const OUTRUN_ALLOWED = 3;
/** A chunk that it lacks is asked for there again after so long; so many are remembered. */
const LACK_MS = 30_000;
const LACKS_LIMIT = 4096;
/** Requests under way: at first, and at most; so many bytes of them. */
const REQUESTS_FIRST = 6;
const REQUESTS_MOST = 24;
const BYTES_MOST = 32 << 20;
/** Of these, what is fetched in advance may take: more would share the line with the one that a read waits for. */
const ADVANCE_SHARE = 0.3;
const ADVANCE_LEAST = 2;
/** What is on order there is worth so long at its rate. */
const ON_ORDER_MS = 400;
/** A rate is measured over so long of being busy. */
const SAMPLE_MS = 250;
/** A rate measured longer ago says nothing: the server is tried as if it were as fast as any. */
const RATE_GOOD_MS = 10_000;
/** A second server is asked when this one takes so long, and so many times what is usual. */
const PATIENCE_MS = 600;
const PATIENCE_TIMES = 4;
const PATIENCE_MOST_MS = 2000;

/** How one server behind an origin's name does: pure bookkeeping. Times in ms of one clock. */
export class OriginServer {
  readonly place: OriginPlace;
  readonly endpoint: Endpoint;
  /** Bytes per second while it was busy; undefined until measured. */
  rate: number | undefined;
  requests = 0;
  bytesOnOrder = 0;
  bytes = 0;
  failures = 0;
  /** What it last did wrong. */
  fault: string | undefined;
  #failed = 0;
  #restUntil = Number.NEGATIVE_INFINITY;
  readonly #lacks = new Map<string, number>();
  #usualMs = 150;
  #meanBytes = 64 << 10;
  #measuredAt = 0;
  #sampleAt = 0;
  #sampleBytes = 0;
  #false = 0;
  #outrun = 0;

  constructor(place: OriginPlace, endpoint: Endpoint) {
    this.place = place;
    this.endpoint = endpoint;
  }

  get name(): string {
    const { url, name, isService } = this.place;
    const { address, host, port } = this.endpoint;
    if (isService) return `${name} (${host}:${port})`;
    return url.hostname === address || url.hostname === `[${address}]` ? name : `${name} (${address})`;
  }

  isResting(now: number): boolean {
    return now < this.#restUntil;
  }

  lacks(file: string, now: number): boolean {
    const at = this.#lacks.get(file);
    return at !== undefined && now - at < LACK_MS;
  }

  /** @param urgent a read waits: all that is fetched in advance takes a part of the requests only */
  hasRoom(bytes: number, urgent = true): boolean {
    if (this.requests === 0) return true;
    // It has failed, and must show first that it gives again.
    if (this.#failed > 0) return false;
    const all = this.#requestsMost();
    const most = urgent ? all : Math.max(ADVANCE_LEAST, all * ADVANCE_SHARE);
    return this.requests < most && this.bytesOnOrder + bytes <= BYTES_MOST;
  }

  /** Seconds until so many bytes more would be here. */
  delay(bytes: number, unknownRate: number, now: number): number {
    const isOld = this.requests === 0 && now - this.#measuredAt > RATE_GOOD_MS;
    return (this.bytesOnOrder + bytes) / (isOld ? unknownRate : (this.rate ?? unknownRate));
  }

  /** How long to wait for it before another is asked too. */
  get patienceMs(): number {
    return Math.min(Math.max(PATIENCE_MS, PATIENCE_TIMES * this.#usualMs), PATIENCE_MOST_MS);
  }

  begun(bytes: number, now: number): void {
    if (this.requests === 0) {
      this.#sampleAt = now;
      this.#sampleBytes = 0;
    }
    this.requests++;
    this.bytesOnOrder += bytes;
  }

  /** A request is over, however. @param expected as `begun` was told */
  ended(expected: number): void {
    this.requests--;
    this.bytesOnOrder -= expected;
  }

  /**
   * True when it had failed before.
   * @param bytes of a chunk, as they were sent; 0: another file, whose size says nothing of the rate
   */
  gave(bytes: number, tookMs: number, now: number): boolean {
    if (bytes > 0) this.#measure(bytes, tookMs, now);
    const wasFailing = this.#failed > 0;
    this.#failed = 0;
    this.#outrun = 0;
    this.fault = undefined;
    return wasFailing;
  }

  #measure(bytes: number, tookMs: number, now: number): void {
    this.bytes += bytes;
    this.#usualMs = 0.9 * this.#usualMs + 0.1 * tookMs;
    this.#meanBytes = 0.9 * this.#meanBytes + 0.1 * bytes;
    this.#sampleBytes += bytes;
    const elapsed = now - this.#sampleAt;
    if (elapsed < SAMPLE_MS && this.rate !== undefined) return;
    const sample = (this.#sampleBytes * 1000) / Math.max(elapsed, 1);
    this.rate = this.rate === undefined ? sample : 0.6 * this.rate + 0.4 * sample;
    this.#measuredAt = now;
    this.#sampleAt = now;
    this.#sampleBytes = 0;
  }

  lacked(file: string, now: number): void {
    this.#lacks.delete(file);
    this.#lacks.set(file, now);
    if (this.#lacks.size <= LACKS_LIMIT) return;
    for (const oldest of this.#lacks.keys()) {
      this.#lacks.delete(oldest);
      return;
    }
  }

  /** It took longer than it should: others come first for a while. */
  late(): void {
    if (this.rate !== undefined) this.rate = Math.max(this.rate / 2, 1024);
  }

  /**
   * Another server has given what this one was asked for sooner, and was late with. Nobody waits to hear how that ends, so
   * that one which is silent for good has to be known by this.
   * @returns how long it is left alone now, in ms; 0: not yet
   */
  outrun(now: number): number {
    return ++this.#outrun < OUTRUN_ALLOWED ? 0 : this.failed('answers late, or not at all', undefined, now);
  }

  /** @returns how long it is left alone now, in ms */
  failed(why: string, restMs: number | undefined, now: number): number {
    this.failures++;
    this.fault = why;
    // Requests that were under way together fail together: that is one failure.
    if (this.isResting(now)) return this.#restUntil - now;
    this.#failed++;
    // What it did before says nothing of what it will do.
    this.rate = undefined;
    const rest = Math.min(
      restMs ?? REST_MS * 2 ** Math.min(this.#failed - 1, 10),
      restMs === undefined ? REST_MOST_MS : 60_000,
    );
    this.#restUntil = now + rest;
    return rest;
  }

  /** It gave bytes that are not the chunk. */
  gaveFalse(file: string, why: string, now: number): void {
    this.lacked(file, now);
    this.failures++;
    this.fault = why;
    if (++this.#false < FALSE_ALLOWED) return;
    this.#false = 0;
    this.#restUntil = now + FALSE_REST_MS;
  }

  #requestsMost(): number {
    if (this.rate === undefined) return REQUESTS_FIRST;
    const wanted = Math.ceil((this.rate * ON_ORDER_MS) / 1000 / this.#meanBytes);
    return Math.max(REQUESTS_FIRST, Math.min(wanted, REQUESTS_MOST));
  }
}
