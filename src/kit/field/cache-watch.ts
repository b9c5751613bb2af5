/** What a machine that runs from an image on a medium has read of it: by what the kernel keeps of the image in memory. */
import { readFileSync } from 'node:fs';
import type { Medium } from '../../field/store/medium-layer.ts';
import { describeError } from '../../linux/describe-error.ts';
import { PageCacheView } from '../../linux/page-cache.ts';
import { parseBootReport } from '../../runes/machine.ts';
import type { BootWatch } from '../boot-watch.ts';

const LOOK_MS = 5000;
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
 * in it: what comes then is not its boot's. A look at an image of 1 GB takes about ten milliseconds.
 */
export class CacheWatch implements Disposable {
  readonly #options: CacheWatchOptions;
  #watch: BootWatch | undefined;
  #view: PageCacheView | undefined;
  #timer: NodeJS.Timeout | undefined;
  #bytes = 0;
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
    const startMs = performance.now();
    this.#timer = setInterval(() => {
      if (!this.#look() || performance.now() - startMs > WATCH_MS) this.#stop();
    }, this.#options.everyMs ?? LOOK_MS);
    this.#timer.unref();
    if (!this.#look()) this.#stop();
  }

  /** Others boot from this machine. A last look, before anything is read for them. */
  end(): void {
    this.#isGiven = true;
    if (this.#timer === undefined) return;
    this.#look();
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
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#view?.[Symbol.dispose]();
    this.#view = undefined;
  }

  #isOurs(): boolean {
    return isBootedFrom(this.#options.id, this.#options.reports);
  }

  /** @returns whether to look again */
  #look(): boolean {
    const { path, medium, log } = this.#options;
    try {
      if (this.#view === undefined) {
        // Not yet: /init writes its report just before it hands over.
        if (!this.#isOurs()) return true;
        this.#view = new PageCacheView(path, medium.size);
      }
      const ranges = this.#view.resident();
      const bytes = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
      this.#bytes = Math.max(this.#bytes, bytes);
      // What is always read, so that a boot of which nothing is seen ends, too.
      const seen = ranges.length === 0 ? [{ start: 0, end: 1 }] : ranges;
      return seen.every(({ start, end }) => this.#watch?.read(start, end) === true);
    } catch (error) {
      log(`no boot profile of this machine: what of the image is in memory cannot be seen: ${describeError(error)}`);
      return false;
    }
  }
}
