/** What a machine that runs from an image on a medium has read of it: by what the kernel keeps of the image in memory. */
import { readFileSync } from 'node:fs';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Medium } from '../../field/store/medium-layer.ts';
import { describeError } from '../../linux/describe-error.ts';
import { PageCacheView } from '../../linux/page-cache.ts';
import { parseBootReport } from '../../runes/machine.ts';
import type { BootWatch } from '../boot-watch.ts';

const LOOK_MS = 5000;
/** From one look to the next, in times of what it took. */
const REST = 50;
/** A look goes on for so long before other work has its turn; whoever boots from this machine waits for the last one. */
const PIECE_MS = 5;
const LAST_LOOK_MS = 50;
/** As long as a boot is recorded. */
const WATCH_MS = 310_000;
/** Where /init says what was booted; seen from the initramfs, too, where a daemon of its own runs. */
const REPORTS = ['/run/viver/boot.json', '/proc/1/root/run/viver/boot.json'];
/** Less of an image is no boot: its first page and what the kernel reads ahead of that. */
const LEAST_BYTES = 4 << 20;
const LEAST_SHARE = 0.01;

/** Whether this machine runs from that image, on a medium of its own. */
export function isBootedFrom(id: string, reports: readonly string[] = REPORTS): boolean {
  return reports.some((path) => {
    try {
      const { booted, image } = parseBootReport(readFileSync(path, 'utf8'));
      return booted === 'medium' && image?.id === id;
    } catch {
      return false; // none was booted by VIVER, or there is no report yet
    }
  });
}

/** Of this thread: while others have the processor no time goes by. */
function processorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

export interface CacheWatchOptions {
  readonly id: string;
  /** Where the image lies. */
  readonly path: string;
  readonly medium: Medium;
  readonly log: (line: string) => void;
  readonly reports?: readonly string[];
  readonly everyMs?: number;
}

/**
 * Looks every few seconds which pages of the image have come into memory, so that the order of a boot is known as far as
 * that. It ends with the boot, or when this machine first reads the image for others, as chunks or as the initrd that lies
 * in it: what comes then is not its boot's. A look at an image of 1 GB takes about ten milliseconds; at one of 100 GB it
 * takes a second or more, during which others are served.
 */
export class CacheWatch implements Disposable {
  readonly #options: CacheWatchOptions;
  #watch: BootWatch | undefined;
  #view: PageCacheView | undefined;
  #going: AbortController | undefined;
  #bytes = 0;
  /** What a look takes of the processor. */
  #tookMs = 0;
  #isGiven = false;
  readonly #ended = Promise.withResolvers<true>();

  constructor(options: CacheWatchOptions) {
    this.#options = options;
  }

  /** The medium as others are given of it. */
  get medium(): Medium {
    const { medium } = this.#options;
    return {
      name: medium.name,
      size: medium.size,
      read: (target, offset) => {
        this.end();
        return medium.read(target, offset);
      },
    };
  }

  /** Settles when nothing more is to be seen, since others are given of the image: what they boot by is wanted now. */
  get ended(): Promise<true> {
    return this.#ended.promise;
  }

  /** From now on, until the boot is over. @param watch is told what was read */
  start(watch: BootWatch): void {
    if (this.#isGiven) return; // others were sooner
    this.#watch = watch;
    this.#going = new AbortController();
    void this.#run(this.#going.signal);
  }

  /** Others boot from this machine. A last look, before anything is read for them. */
  end(): void {
    this.#isGiven = true;
    if (this.#going === undefined) return;
    this.#going.abort();
    // Who waits for it waits no longer than that.
    const last = this.#look();
    if (this.#tookMs <= LAST_LOOK_MS) while (last.next().done !== true);
    this.#stop();
    this.#ended.resolve(true);
  }

  /** Why what was seen cannot be a boot; undefined: it can, or this machine does not run from the image. */
  get lack(): string | undefined {
    const { size } = this.#options.medium;
    if (this.#watch === undefined || !this.#isOurs()) return undefined;
    if (this.#bytes >= Math.min(LEAST_BYTES, size * LEAST_SHARE)) return undefined;
    return `${this.#bytes} bytes of the image lie in the kernel's cache: it is read past that`;
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #stop(): void {
    this.#going?.abort();
    this.#going = undefined;
    this.#view?.[Symbol.dispose]();
    this.#view = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const startMs = performance.now();
    const { everyMs = LOOK_MS } = this.#options;
    while (performance.now() - startMs <= WATCH_MS) {
      const isToGoOn = await this.#lookInPieces(signal);
      if (signal.aborted) return;
      if (!isToGoOn) break;
      // A look at a large image takes no more than a small part of this processor's time.
      await sleep(Math.max(everyMs, this.#tookMs * REST), undefined, { ref: false, signal }).catch(() => {});
      if (signal.aborted) return;
    }
    this.#stop();
  }

  /** @returns whether to look again */
  async #lookInPieces(signal: AbortSignal): Promise<boolean> {
    const look = this.#look();
    let tookMs = 0;
    for (let pieceAt = processorMs(); ; ) {
      const { done, value } = look.next();
      const now = processorMs();
      if (done !== true && now - pieceAt < PIECE_MS) continue;
      tookMs += now - pieceAt;
      if (done === true) {
        this.#tookMs = tookMs;
        return value;
      }
      await setImmediate();
      if (signal.aborted) return false;
      pieceAt = processorMs();
    }
  }

  #isOurs(): boolean {
    return isBootedFrom(this.#options.id, this.#options.reports);
  }

  /** Piece by piece. @returns whether to look again */
  *#look(): Generator<undefined, boolean> {
    const { path, medium, log } = this.#options;
    try {
      if (this.#view === undefined) {
        // Not yet: /init writes its report just before it hands over.
        if (!this.#isOurs()) return true;
        this.#view = new PageCacheView(path, medium.size);
      }
      let bytes = 0;
      for (const ranges of this.#view.resident()) {
        bytes += ranges.reduce((sum, { start, end }) => sum + end - start, 0);
        if (!ranges.every(({ start, end }) => this.#watch?.read(start, end) === true)) return false;
        yield;
      }
      this.#bytes = Math.max(this.#bytes, bytes);
      // What is always read, so that a boot of which nothing is seen ends, too.
      return bytes > 0 || this.#watch?.read(0, 1) === true;
    } catch (error) {
      log(`no boot profile of this machine: what of the image is in memory cannot be seen: ${describeError(error)}`);
      return false;
    }
  }
}
