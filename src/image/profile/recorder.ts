import { joinNeighbours } from './merge.ts';
import { type BootProfile, compareRanges, type ProfileRange } from './profile.ts';

/** What is told apart: a page of the kernel, which reads no less. */
const GRAIN = 4096;
/** Ranges of one boot, at most: then it is no boot any more. */
const RANGES_LIMIT = 50_000;
/** A boot is over when nothing new was read for so long, and in any case after so long. */
const QUIET_MS = 20_000;
const LONGEST_MS = 300_000;

/**
 * What a boot reads of an image, in the order of the first time. A bit for each page of the image, and a range for each
 * run of reads that follow each other: some microseconds a read, and nothing once the boot is over.
 */
export class ProfileRecorder {
  readonly #image: string;
  readonly #size: number;
  readonly #seen: Uint8Array;
  readonly #ranges: { start: number; end: number; at: number }[] = [];
  #read = 0;
  #beganAt: number | undefined;
  #newsAt = 0;

  /** @param image its id @param size its bytes */
  constructor(image: string, size: number) {
    this.#image = image;
    this.#size = size;
    this.#seen = new Uint8Array(Math.ceil(size / GRAIN / 8));
  }

  /** Bytes [offset, end) are read. @returns false when the boot is over: nothing more is to be told */
  read(offset: number, end: number, now: number): boolean {
    this.#beganAt ??= now;
    if (this.#newsAt === 0) this.#newsAt = now;
    if (this.isOver(now)) return false;
    const last = Math.ceil(Math.min(end, this.#size) / GRAIN);
    for (let page = Math.floor(offset / GRAIN); page < last; page++) {
      const bit = 1 << (page & 7);
      const seen = this.#seen[page >> 3] as number;
      if ((seen & bit) !== 0) continue;
      this.#seen[page >> 3] = seen | bit;
      this.#add(page * GRAIN, Math.min((page + 1) * GRAIN, this.#size));
      this.#newsAt = now;
    }
    return true;
  }

  isOver(now: number): boolean {
    if (this.#beganAt === undefined) return false;
    return now - this.#newsAt > QUIET_MS || now - this.#beganAt > LONGEST_MS || this.#ranges.length >= RANGES_LIMIT;
  }

  profile(): BootProfile {
    const ranges = this.#ranges.map(({ start, end, at }): ProfileRange => ({ start, end, boots: 1, at }));
    const joined = joinNeighbours(ranges.sort((a, b) => a.start - b.start));
    return { image: this.#image, size: this.#size, boots: 1, ranges: joined.sort(compareRanges) };
  }

  #add(start: number, end: number): void {
    const before = this.#ranges.at(-1);
    if (before?.end === start) before.end = end;
    else this.#ranges.push({ start, end, at: this.#read });
    this.#read += end - start;
  }
}
