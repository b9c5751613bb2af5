import {
  type BootProfile,
  compareRanges,
  PROFILE_BOOTS_LIMIT,
  PROFILE_RANGES_LIMIT,
  type ProfileRange,
} from './profile.ts';

interface Edge {
  readonly offset: number;
  readonly range: ProfileRange;
  readonly isStart: boolean;
}

/**
 * Many profiles of one image as one: each byte has the boots of all that read it, and the mean of where they did. The
 * order of the profiles makes no difference.
 * @throws Error when there are none, or when they are of different images
 */
export function mergeProfiles(profiles: readonly BootProfile[]): BootProfile {
  const [first] = profiles;
  if (first === undefined) throw new Error('no boot profile to merge');
  const image = profiles.find(({ image }) => image !== undefined)?.image;
  for (const other of profiles) {
    const isSame = other.size === first.size && (other.image === undefined || other.image === image);
    if (!isSame) throw new Error('boot profiles of different images cannot be merged');
  }
  const all = profiles.reduce((sum, { boots }) => sum + boots, 0);
  // Copies: a profile may be among them twice, and counts twice then.
  const copies = profiles.flatMap(({ ranges }) => ranges.map((range) => ({ ...range })));
  const ranges = joinNeighbours(layered(copies, first.size));
  const kept = ranges.length <= PROFILE_RANGES_LIMIT ? ranges : mostRead(ranges);
  const isTooMany = all > PROFILE_BOOTS_LIMIT;
  const boots = Math.min(all, PROFILE_BOOTS_LIMIT);
  // As shares of fewer boots: what is weighed against each other stays alike.
  const scaled = isTooMany
    ? kept.map((range) => ({ ...range, boots: Math.max(1, Math.floor((range.boots / all) * boots)) }))
    : kept;
  return { image, size: first.size, boots, ranges: scaled.toSorted(compareRanges) };
}

/** Ranges that may lie over each other, cut so that none does. In the order of the image. */
function layered(ranges: readonly ProfileRange[], size: number): ProfileRange[] {
  const edges = ranges.flatMap((range): Edge[] => [
    { offset: range.start, range, isStart: true },
    { offset: range.end, range, isStart: false },
  ]);
  edges.sort((a, b) => a.offset - b.offset);
  const open = new Set<ProfileRange>();
  const cut: ProfileRange[] = [];
  let from = 0;
  for (const { offset, range, isStart } of edges) {
    if (offset > from && open.size > 0) cut.push(overlay(open, from, offset, size));
    from = offset;
    if (isStart) open.add(range);
    else open.delete(range);
  }
  return cut;
}

function overlay(open: ReadonlySet<ProfileRange>, start: number, end: number, size: number): ProfileRange {
  let boots = 0;
  for (const range of open) boots += range.boots;
  let at = 0;
  // A part of a range is read after what of the range lies before it.
  for (const range of open) at += (range.boots / boots) * (range.at + (start - range.start));
  return { start, end, boots, at: Math.min(Math.round(at), size) };
}

/** Ranges that follow each other in the image and in time are one. `ranges`: in the order of the image. */
export function joinNeighbours(ranges: readonly ProfileRange[]): ProfileRange[] {
  const joined: ProfileRange[] = [];
  for (const range of ranges) {
    const before = joined.at(-1);
    const follows =
      before !== undefined &&
      before.end === range.start &&
      before.boots === range.boots &&
      // Means are rounded.
      Math.abs(before.at + (before.end - before.start) - range.at) <= 1;
    if (follows) joined[joined.length - 1] = { ...before, end: range.end };
    else joined.push(range);
  }
  return joined;
}

/** What fewest boots read is let go. */
function mostRead(ranges: readonly ProfileRange[]): ProfileRange[] {
  return ranges.toSorted((a, b) => b.boots - a.boots || compareRanges(a, b)).slice(0, PROFILE_RANGES_LIMIT);
}
