/**
 * How long the boot waits for media. Pure: facts in, decision out; find-media.ts asks it after every change.
 */
import type { Medium } from '../../media/block-devices.ts';

export interface FoundImage {
  readonly medium: Medium;
  /** As measured; undefined: not (to be) measured. */
  readonly bytesPerSecond: number | undefined;
}

/** Hardware that is still under way; without a medium it may bring any. */
export interface PendingMedium {
  readonly text: string;
  readonly medium?: Medium;
  /** Devices come, and nothing says that a disk is among them. */
  readonly vague?: true;
}

export interface WaitFacts {
  /** Images found so far that may be booted. */
  readonly found: readonly FoundImage[];
  /** Empty: nothing more can come by itself. */
  readonly pending: readonly PendingMedium[];
  /** `viver.media=`: the kinds of media allowed, in the order wanted. */
  readonly order: readonly Medium[] | undefined;
  /** A slower medium counts too: it may be the one that holds the changes kept with the image (viver.cow=keep). */
  readonly all?: boolean;
  /** A person can plug something in: there is a USB host, a card slot, a CD drive. */
  readonly hotplug: boolean;
  readonly nowMs: number;
  readonly startedMs: number;
  /** When the last device or image appeared. */
  readonly changedMs: number;
  /** `viver.wait=` in milliseconds. */
  readonly waitMs: number | undefined;
}

export type WaitDecision =
  | { readonly kind: 'choose'; readonly why: string }
  | { readonly kind: 'fail'; readonly why: string }
  /** Ask again at `untilMs`, or as soon as something changes. */
  | { readonly kind: 'wait'; readonly untilMs: number; readonly why: string };

/** With an image at hand, media that are still answering get a quarter of the time they may save, within these limits. */
const PATIENCE_MS = { least: 1500, most: 10_000 };
const PATIENCE_SHARE = 1 / 4;
/** A link and an address alone take so long. */
const NETWORK_MS = 2500;
/** What a boot reads, about: a faster medium is waited for when it would save more than the least patience costs. */
const BOOT_BYTES = 100e6;
/**
 * The most a boot gets out of these kinds: of a DVD drive at 16 times its base speed, which also seeks; of UDMA/133; of
 * gigabit Ethernet.
 */
const FASTEST_BYTES_PER_SECOND: Partial<Record<Medium, number>> = { cd: 22e6, ide: 133e6, net: 118e6 };
/** A USB disk may spin up for this long before it answers; the kernel's own SCSI command time-out is 30 s too. */
const PENDING_LIMIT_MS = 30_000;
/** Hundreds of disks take longer in all; a device that comes and goes for ever ends here too. */
const PROGRESS_LIMIT_MS = 180_000;
/** So many of what is waited for are named. */
const NAMED = 4;
/** With nothing at hand, this long for a stick that is slow to appear or put in late. */
const HOTPLUG_WAIT_MS = 10_000;

/** What a better medium would save the boot, in milliseconds. */
function savedMs(atHand: number, medium: Medium | undefined): number {
  const fastest = (medium === undefined ? undefined : FASTEST_BYTES_PER_SECOND[medium]) ?? Number.POSITIVE_INFINITY;
  return (BOOT_BYTES / atHand - BOOT_BYTES / fastest) * 1000;
}

/** What is pending that could bring an allowed medium better than those found, and for how long it is worth waiting. */
function worthWaitingFor({ found, pending, order, all = false }: WaitFacts): {
  readonly pending: readonly PendingMedium[];
  readonly patienceMs: number;
} {
  const allowed = pending.filter(({ medium }) => medium === undefined || order === undefined || order.includes(medium));
  if (found.length === 0) return { pending: allowed, patienceMs: 0 };
  if (all) return { pending: allowed.filter(({ vague }) => vague !== true), patienceMs: PATIENCE_MS.most };
  const inSight = allowed.filter(({ vague }) => order !== undefined || vague !== true);
  const place = (medium: Medium) => (order === undefined ? 0 : order.indexOf(medium));
  const best = Math.min(...found.map(({ medium }) => place(medium)));
  const speeds = found.filter(({ medium }) => place(medium) === best).map(({ bytesPerSecond = 0 }) => bytesPerSecond);
  const atHand = Math.max(...speeds);
  const rows = inSight.map((row) => {
    const rank = row.medium === undefined ? 0 : place(row.medium);
    // What a person prefers is worth any time that it may save.
    const saves = rank < best ? Number.POSITIVE_INFINITY : rank === best ? savedMs(atHand, row.medium) : 0;
    return { row, saves };
  });
  const worth = rows.filter(({ saves }) => saves > PATIENCE_MS.least);
  const share = Math.max(0, ...worth.map(({ saves }) => saves)) * PATIENCE_SHARE;
  return {
    pending: worth.map(({ row }) => row),
    patienceMs: Math.min(PATIENCE_MS.most, Math.max(PATIENCE_MS.least, share)),
  };
}

/**
 * For how long the network is asked for the image, when the best medium of this machine gives it so slowly: a quarter of
 * the time that may save. 0: not at all.
 * @param bytesPerSecond of the medium
 * @returns whole milliseconds
 */
export function networkPatienceMs(bytesPerSecond: number): number {
  const share = savedMs(bytesPerSecond, 'net') * PATIENCE_SHARE;
  return share < NETWORK_MS ? 0 : Math.round(Math.min(PATIENCE_MS.most, share));
}

export function decideWait(facts: WaitFacts): WaitDecision {
  const { found, nowMs, startedMs, changedMs } = facts;
  const { pending, patienceMs } = worthWaitingFor(facts);
  const named = pending.slice(0, NAMED).map(({ text }) => text);
  const under = [...named, ...(pending.length > NAMED ? [`${pending.length - NAMED} more`] : [])].join('; ');
  if (found.length > 0) {
    if (pending.length === 0) {
      const why = facts.pending.length === 0 ? 'nothing more can come by itself' : 'nothing better can come';
      return { kind: 'choose', why };
    }
    const untilMs = changedMs + patienceMs;
    if (nowMs >= untilMs) return { kind: 'choose', why: `not waited any longer for: ${under}` };
    return { kind: 'wait', untilMs, why: under };
  }
  const waitMs = facts.waitMs ?? (facts.hotplug ? HOTPLUG_WAIT_MS : 0);
  // a device that comes and goes for ever is not waited for for ever
  const quietUntilMs = Math.min(Math.max(changedMs, startedMs), startedMs + PROGRESS_LIMIT_MS) + waitMs;
  if (pending.length > 0) {
    const limitMs = Math.min(Math.max(changedMs, startedMs) + PENDING_LIMIT_MS, startedMs + PROGRESS_LIMIT_MS);
    const untilMs = Math.max(quietUntilMs, limitMs);
    if (nowMs < untilMs) return { kind: 'wait', untilMs, why: under };
    return { kind: 'fail', why: `still under way after ${Math.round((nowMs - startedMs) / 1000)} s: ${under}` };
  }
  if (nowMs < quietUntilMs) return { kind: 'wait', untilMs: quietUntilMs, why: 'a medium may still be put in' };
  return { kind: 'fail', why: 'nothing more can come by itself' };
}
