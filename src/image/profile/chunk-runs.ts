import type { ChunkIndex } from '../chunk-index.ts';
import type { BootProfile, ProfileRange } from './profile.ts';

/** Chunks [start, end) that follow each other in the image and in time, and how many boots read each. */
export interface ChunkRun {
  readonly start: number;
  readonly end: number;
  readonly boots: number;
}

/** A profile by chunks, first read first. */
export interface ChunkRuns {
  /** Boots that are in it. */
  readonly boots: number;
  /** No chunk is in two of them. */
  readonly runs: readonly ChunkRun[];
}

/**
 * Boots that a profile from elsewhere counts for beside our own: what only it says has left what is passed on after four
 * machines, whoever made it up.
 */
const GIVEN_BOOTS = 3;
/** What reads more of its image than this is no boot: a copy, a check. */
const BOOT_SHARE = 0.75;

/** A profile of an image with that index as whole chunks: of each the most boots that read any of it. Pure. */
export function chunkRuns(profile: BootProfile, index: ChunkIndex): ChunkRuns {
  return { boots: profile.boots, runs: toRuns(countChunks(profile, index)) };
}

/** Boots by chunk, in the order in which each came first: that of the ranges. */
function countChunks({ ranges }: BootProfile, index: ChunkIndex): Map<number, number> {
  const counts = new Map<number, number>();
  for (const range of ranges) {
    const last = index.locate(range.end - 1);
    for (let chunk = index.locate(range.start); chunk <= last; chunk++)
      counts.set(chunk, Math.max(counts.get(chunk) ?? 0, range.boots));
  }
  return counts;
}

function toRuns(counts: Iterable<readonly [chunk: number, boots: number]>): ChunkRun[] {
  const runs: { start: number; end: number; boots: number }[] = [];
  for (const [chunk, boots] of counts) {
    const before = runs.at(-1);
    if (before?.end === chunk && before.boots === boots) before.end++;
    else runs.push({ start: chunk, end: chunk + 1, boots });
  }
  return runs;
}

/** Back again: each run is a range, read after all bytes of those before it. Pure. */
export function profileOfRuns({ boots, runs }: ChunkRuns, index: ChunkIndex): BootProfile {
  let at = 0;
  const ranges = runs.map((run): ProfileRange => {
    const [start, end] = [index.start(run.start), index.end(run.end - 1)];
    const range = { start, end, boots: run.boots, at };
    at += end - start;
    return range;
  });
  return { image: index.id, size: index.size, boots, ranges };
}

/** Whether what was read may be what a boot reads of its image: something, and not nearly all. Pure. */
export function isBoot({ size, ranges }: BootProfile): boolean {
  const read = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  return read > 0 && read <= size * BOOT_SHARE;
}

/**
 * What a machine tells others: its own boot, and what it was given at its own start. However many boots somebody says are
 * in that, it counts for three, and what fewer than one boot read is gone. The order is the own boot's, for that was
 * seen; what only others read follows what they read before it. Pure.
 */
export function passedOn(own: BootProfile, given: BootProfile | undefined, index: ChunkIndex): ChunkRuns {
  const ours = countChunks(own, index);
  if (given === undefined) return { boots: own.boots, runs: toRuns(ours) };
  const theirs = fade(countChunks(given, index), given.boots);
  /** By the chunk of our own that they follow; undefined: they follow none, and come last. */
  const following = new Map<number | undefined, [chunk: number, boots: number][]>();
  let before: number | undefined;
  for (const [chunk, boots] of theirs) {
    if (ours.has(chunk)) before = chunk;
    else if (following.get(before)?.push([chunk, boots]) === undefined) following.set(before, [[chunk, boots]]);
  }
  const merged: (readonly [number, number])[] = [];
  for (const [chunk, boots] of ours)
    merged.push([chunk, boots + (theirs.get(chunk) ?? 0)], ...(following.get(chunk) ?? []));
  merged.push(...(following.get(undefined) ?? []));
  return { boots: own.boots + Math.min(given.boots, GIVEN_BOOTS), runs: toRuns(merged) };
}

/** Rounded down: what one boot in four read goes first. */
function fade(counts: Map<number, number>, boots: number): Map<number, number> {
  if (boots <= GIVEN_BOOTS) return counts;
  const faded = [...counts].map(([chunk, count]) => [chunk, Math.floor((count * GIVEN_BOOTS) / boots)] as const);
  return new Map(faded.filter(([, count]) => count > 0));
}
