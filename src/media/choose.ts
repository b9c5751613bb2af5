import type { Medium } from './block-devices.ts';
import type { ImageCandidate } from './candidate.ts';

/**
 * Rank by kind, best first: the tie-break between media of about equal measured speed, and the order of those that
 * could not be measured. The order of `viver.media` in DESIGN.md, section 4.
 */
export const MEDIUM_RANKS: readonly Medium[] = ['nvme', 'sata', 'usb', 'mmc', 'cd', 'ide', 'scsi', 'net'];

/** Two media whose speeds differ by less than this factor count as equally fast. */
export const NEARLY_EQUAL = 1.3;

/** What the user asked for. */
export interface ImagePolicy {
  /** `viver.image=NAME`: only images of that name. */
  readonly name: string | undefined;
  /** `viver.media=`: only these kinds of media, and in this order whatever their speed. */
  readonly media: readonly Medium[] | undefined;
}

export interface MeasuredCandidate {
  readonly candidate: ImageCandidate;
  /** Undefined when it was not or could not be measured; `measured` says why. */
  readonly bytesPerSecond: number | undefined;
  /** What a release beside it says, 0 without one: of two images on one disk the greater goes first. */
  readonly standing?: number;
  /** The measurement in words: `93 MB/s`, `only one`, `EIO: i/o error`. */
  readonly measured: string;
}

export interface RankedCandidate {
  readonly candidate: ImageCandidate;
  /** As measured; undefined when it was not or could not be. */
  readonly bytesPerSecond: number | undefined;
  readonly reason: string;
}

/** A candidate that may not be used, and why not. */
export interface PassedOver {
  readonly candidate: ImageCandidate;
  readonly reason: string;
}

export interface MediumChoice {
  /** Best first. */
  readonly ordered: readonly RankedCandidate[];
  readonly passedOver: readonly PassedOver[];
  /** What a person should be warned of: images of one name that are not the same. */
  readonly warnings: readonly string[];
}

/**
 * Orders the candidates; pure.
 *
 * 1. Only images and media that the user allows. An image alone on a partition without a label has no name: it is
 *    taken for any, after those that bear the name.
 * 2. `viver.media` is the user's word: an earlier kind comes before a later one, however fast that is. Without it all
 *    kinds are equal.
 * 3. The fastest as measured; within a factor of 1.3 the better kind of medium. What could not be measured comes after
 *    what could, by kind.
 * 4. What is still equal, as images on one disk are: the highest standing by releases, then made last, then by name and
 *    device, so that a boot is repeatable.
 *
 * Different images of the chosen name are not told apart by their age: a clock that was wrong once would decide. They
 * are warned of, and `viver.image=NAME@sha256:…` takes exactly one.
 */
export function chooseMedium(measured: readonly MeasuredCandidate[], policy: ImagePolicy): MediumChoice {
  const passedOver: PassedOver[] = [];
  const allowed = measured.filter(({ candidate }) => {
    const reason = refusal(candidate, policy);
    if (reason !== undefined) passedOver.push({ candidate, reason });
    return reason === undefined;
  });
  const media = policy.media ?? [];
  const tiers = media.length === 0 ? [allowed] : media.map((medium) => allowed.filter(on(medium)));
  const ordered: RankedCandidate[] = [];
  for (const tier of tiers) {
    const isNamed = ({ candidate }: MeasuredCandidate) => policy.name === undefined || candidate.name !== '';
    const rows = [...bySpeed(tier.filter(isNamed)), ...bySpeed(tier.filter((row) => !isNamed(row)))];
    ordered.push(
      ...rows.map((row) => {
        const { candidate, bytesPerSecond } = row;
        return { candidate, bytesPerSecond, reason: explain(row, policy) };
      }),
    );
  }
  return { ordered, passedOver, warnings: differences(ordered) };
}

/** The first image against others of its name with other contents. */
function differences(ordered: readonly RankedCandidate[]): readonly string[] {
  const [first, ...others] = ordered.map((row) => row.candidate);
  if (first === undefined || first.name === '') return [];
  const age = (image: ImageCandidate) =>
    `made ${new Date(image.squashfs.madeSeconds * 1000).toISOString().slice(0, 16)}`;
  return others
    .filter((other) => other.name === first.name && other.squashfs.superblock !== first.squashfs.superblock)
    .map(
      (other) =>
        `${first.name} on ${first.device.path} (${age(first)}) and on ${other.device.path} (${age(other)}) differ: ` +
        'viver.image=NAME@sha256:ID takes exactly one',
    );
}

/** Whether the candidate may be used at all; the answer is why not, or undefined. */
export function refusal(candidate: ImageCandidate, policy: ImagePolicy): string | undefined {
  const { name, media } = policy;
  if (name !== undefined && candidate.name !== '' && candidate.name !== name)
    return `not the image asked for (${name})`;
  if (media !== undefined && media.length > 0 && !media.includes(candidate.device.medium)) {
    return `on ${candidate.device.medium}, which is not in viver.media=${media.join(',')}`;
  }
  return undefined;
}

function on(medium: Medium) {
  return ({ candidate }: MeasuredCandidate): boolean => candidate.device.medium === medium;
}

function bySpeed(rows: readonly MeasuredCandidate[]): MeasuredCandidate[] {
  const unmeasured = rows.filter((row) => row.bytesPerSecond === undefined).sort(byRank);
  let rest = rows.filter((row) => row.bytesPerSecond !== undefined).sort((left, right) => speed(right) - speed(left));
  const ordered: MeasuredCandidate[] = [];
  while (rest[0] !== undefined) {
    const least = speed(rest[0]) / NEARLY_EQUAL;
    ordered.push(...rest.filter((row) => speed(row) >= least).sort(byRank));
    rest = rest.filter((row) => speed(row) < least);
  }
  return [...ordered, ...unmeasured];
}

function speed(row: MeasuredCandidate): number {
  return row.bytesPerSecond ?? 0;
}

function byRank(left: MeasuredCandidate, right: MeasuredCandidate): number {
  const rank = ({ candidate }: MeasuredCandidate) => MEDIUM_RANKS.indexOf(candidate.device.medium);
  const standing = (right.standing ?? 0) - (left.standing ?? 0);
  return rank(left) - rank(right) || speed(right) - speed(left) || standing || lastly(left.candidate, right.candidate);
}

function lastly(left: ImageCandidate, right: ImageCandidate): number {
  const age = right.squashfs.madeSeconds - left.squashfs.madeSeconds;
  return age || compare(left.name, right.name) || compare(left.path, right.path);
}

const compare = (left: string, right: string) => (left < right ? -1 : Number(left > right));

function explain({ candidate, measured }: MeasuredCandidate, { media, name }: ImagePolicy): string {
  const preferred =
    media === undefined || media.length < 2
      ? ''
      : `, preferred as number ${media.indexOf(candidate.device.medium) + 1}`;
  const unnamed = name !== undefined && candidate.name === '' ? ', has no name' : '';
  return `${candidate.device.medium}, ${measured}${preferred}${unnamed}`;
}
