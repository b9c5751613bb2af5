import type { Medium } from './block-devices.ts';
import type { ImageCandidate } from './candidate.ts';

/**
 * Rank by kind, best first: the tie-break between media of about equal measured speed, and the order of those that
 * could not be measured. The order of `viver.media` in DESIGN.md, section 4.
 */
export const MEDIUM_RANKS: readonly Medium[] = ['nvme', 'sata', 'usb', 'mmc', 'cd', 'ide', 'scsi', 'net'];

/** Two media whose speeds differ by less than this factor count as equally fast. */
const NEARLY_EQUAL = 1.3;

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
  /** The measurement in words: `93 MB/s`, `only one`, `EIO: i/o error`. */
  readonly measured: string;
}

export interface RankedCandidate {
  readonly candidate: ImageCandidate;
  readonly reason: string;
}

export interface MediumChoice {
  /** Best first. */
  readonly ordered: readonly RankedCandidate[];
  readonly passedOver: readonly RankedCandidate[];
}

/**
 * Orders the candidates; pure.
 *
 * 1. Only images and media that the user allows. An image alone on a partition without a label has no name: it is
 *    taken for any, after those that bear the name.
 * 2. `viver.media` is the user's word: an earlier kind comes before a later one, however fast that is. Without it all
 *    kinds are equal.
 * 3. Images of one name but different contents: the one made last, as mksquashfs noted it; so an updated stick wins
 *    over last month's copy on a faster disk, and copies of the same image compete by speed.
 * 4. The fastest as measured; within a factor of 1.3 the better kind of medium. What could not be measured comes after
 *    what could, by kind.
 * 5. What is still equal: made last, then by name and device, so that a boot is repeatable.
 */
export function chooseMedium(measured: readonly MeasuredCandidate[], policy: ImagePolicy): MediumChoice {
  const passedOver: RankedCandidate[] = [];
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
    const named = tier.filter(isNamed);
    const unnamed = tier.filter((row) => !isNamed(row));
    ordered.push(...orderByName(named, policy), ...orderByName(unnamed, policy));
  }
  return { ordered, passedOver };
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

/** Each name's images by age, then speed; names by the speed of their newest. */
function orderByName(rows: readonly MeasuredCandidate[], policy: ImagePolicy): readonly RankedCandidate[] {
  const names = [...Map.groupBy(rows, (row) => row.candidate.name).values()].map((ofName) => {
    const [newest = [], ...older] = byAge(ofName).map(bySpeed);
    return { newest, older: older.flat() };
  });
  const leaders = bySpeed(names.flatMap(({ newest }) => newest.slice(0, 1)));
  return leaders.flatMap((leader) => {
    const group = names.find(({ newest }) => newest[0] === leader);
    if (group === undefined) return [];
    return [
      ...group.newest.map((row) => ({ candidate: row.candidate, reason: explain(row, policy) })),
      ...group.older.map((row) => ({
        candidate: row.candidate,
        reason: `${explain(row, policy)}; older than ${leader.candidate.path}`,
      })),
    ];
  });
}

/** Groups made at the same second, the last made first. */
function byAge(rows: readonly MeasuredCandidate[]): MeasuredCandidate[][] {
  const groups = Map.groupBy(rows, (row) => row.candidate.squashfs.madeSeconds);
  return [...groups].sort(([left], [right]) => right - left).map(([, group]) => group);
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
  return rank(left) - rank(right) || speed(right) - speed(left) || lastly(left.candidate, right.candidate);
}

function lastly(left: ImageCandidate, right: ImageCandidate): number {
  const age = right.squashfs.madeSeconds - left.squashfs.madeSeconds;
  return age || left.name.localeCompare(right.name, 'en') || left.path.localeCompare(right.path, 'en');
}

function explain({ candidate, measured }: MeasuredCandidate, { media, name }: ImagePolicy): string {
  const preferred =
    media === undefined || media.length < 2
      ? ''
      : `, preferred as number ${media.indexOf(candidate.device.medium) + 1}`;
  const unnamed = name !== undefined && candidate.name === '' ? ', has no name' : '';
  return `${candidate.device.medium}, ${measured}${preferred}${unnamed}`;
}
