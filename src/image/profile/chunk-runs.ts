import type { ChunkIndex } from '../chunk-index.ts';
import { mergeProfiles } from './merge.ts';
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
export function chunkRuns({ boots, ranges }: BootProfile, index: ChunkIndex): ChunkRuns {
  const most = new Map<number, number>();
  for (const range of ranges) {
    const last = index.locate(range.end - 1);
    for (let chunk = index.locate(range.start); chunk <= last; chunk++)
      most.set(chunk, Math.max(most.get(chunk) ?? 0, range.boots));
  }
  const runs: { start: number; end: number; boots: number }[] = [];
  // In the order in which each came first: that of the ranges.
  for (const [chunk, count] of most) {
    const before = runs.at(-1);
    if (before?.end === chunk && before.boots === count) before.end++;
    else runs.push({ start: chunk, end: chunk + 1, boots: count });
  }
  return { boots, runs };
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
 * What a machine tells others: its own boot, merged with what it was given at its own start. However many boots somebody
 * says are in that, it counts for three, and what fewer than one boot read is gone. Pure.
 */
export function passedOn(own: BootProfile, given: BootProfile | undefined, index: ChunkIndex): ChunkRuns {
  // Both as whole chunks, so that the places in both are counted alike.
  const ours = profileOfRuns(chunkRuns(own, index), index);
  if (given === undefined) return chunkRuns(ours, index);
  const theirs = fade(profileOfRuns(chunkRuns(given, index), index));
  return chunkRuns(mergeProfiles([theirs, ours]), index);
}

/** Rounded down: what one boot in four read goes first. */
function fade(profile: BootProfile): BootProfile {
  if (profile.boots <= GIVEN_BOOTS) return profile;
  const ranges = profile.ranges.flatMap((range) => {
    const boots = Math.floor((range.boots * GIVEN_BOOTS) / profile.boots);
    return boots < 1 ? [] : [{ ...range, boots }];
  });
  return { ...profile, boots: GIVEN_BOOTS, ranges };
}
