/**
 * How long the boot waits for media. Pure: facts in, decision out; find-media.ts asks it after every change.
 */

export interface WaitFacts {
  /** Kinds of media on which an image that may be booted was found so far. */
  readonly found: readonly string[];
  /** What hardware is still under way, a line each; empty: nothing more can come by itself. */
  readonly pending: readonly string[];
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

/** With an image at hand, media that are still answering get this long to turn out faster. */
const PATIENCE_MS = 1500;
/** A USB disk may spin up for this long before it answers; the kernel's own SCSI command time-out is 30 s too. */
const PENDING_LIMIT_MS = 30_000;
/** With nothing at hand, this long for a stick that is slow to appear or put in late. */
const HOTPLUG_WAIT_MS = 10_000;

export function decideWait(facts: WaitFacts): WaitDecision {
  const { found, pending, nowMs, startedMs, changedMs } = facts;
  const under = pending.join('; ');
  if (found.length > 0) {
    if (pending.length === 0) return { kind: 'choose', why: 'nothing more can come by itself' };
    const untilMs = changedMs + PATIENCE_MS;
    if (nowMs >= untilMs) return { kind: 'choose', why: `not waited any longer for: ${under}` };
    return { kind: 'wait', untilMs, why: under };
  }
  const waitMs = facts.waitMs ?? (facts.hotplug ? HOTPLUG_WAIT_MS : 0);
  const quietUntilMs = Math.max(changedMs, startedMs) + waitMs;
  if (pending.length > 0) {
    const untilMs = Math.max(quietUntilMs, startedMs + PENDING_LIMIT_MS);
    if (nowMs < untilMs) return { kind: 'wait', untilMs, why: under };
    return { kind: 'fail', why: `still under way after ${Math.round((nowMs - startedMs) / 1000)} s: ${under}` };
  }
  if (nowMs < quietUntilMs) return { kind: 'wait', untilMs: quietUntilMs, why: 'a medium may still be put in' };
  return { kind: 'fail', why: 'nothing more can come by itself' };
}
