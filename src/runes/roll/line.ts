/**
 * One roll-out as the boot server sees it: the newest release of a name, and what became of each machine that was given
 * its image. Pure: values in, values out. Times are milliseconds of the machine's uptime, so that no clock that is set
 * meanwhile counts.
 */
import type { PinnedImage, ReadRelease } from '../../image/release.ts';
import { isFor, type RollMachine } from './whom.ts';

/** A machine that was given the image of a release. */
export interface Attempt {
  readonly state: 'booting' | 'healthy' | 'failed';
  readonly why: string;
  readonly hostname: string;
  readonly address: string;
  /** When its present boot began. */
  readonly sinceMs: number;
  /** When it asked for its boot script last. */
  readonly askedMs: number;
  /** How often it asked in its present boot. */
  readonly asked: number;
  /** It has been healthy with this image. */
  readonly isProven: boolean;
  /** Boots in a row after which it was not healthy. */
  readonly misses: number;
}

export interface RollLine {
  readonly read: ReadRelease;
  /** Why no other machine gets the image; undefined: it goes on. */
  readonly stopped: string | undefined;
  /** By MAC; the one longest silent first. */
  readonly attempts: ReadonlyMap<string, Attempt>;
}

/** A loader that could not load asks again so soon: no machine has started a kernel and come back meanwhile. */
const SAME_BOOT_MS = 15_000;
/** Whoever asks more often in one boot cannot load it. */
const MOST_ASKS = 6;
/** A machine reboots by itself when it is not healthy within five minutes; firmware and loading take their time too. */
export const HEALTHY_WITHIN_MS = 600_000;
/** One that has been healthy with the image may be switched off in the middle of a boot, and once more. */
const MISSES_OF_PROVEN = 3;
const MOST_ATTEMPTS = 4096;

/** What a machine that asks is to boot; undefined: whatever the server has for it without any release. */
export interface Wanted {
  readonly image: PinnedImage;
  /** The release whose image it is: the machine has to become healthy with it. */
  readonly release?: { readonly name: string; readonly version: number };
  readonly why: string;
}

export interface Chosen {
  readonly line: RollLine;
  /** In this order, the first that can be had. */
  readonly wanted: readonly Wanted[];
  /** What has happened, for people. */
  readonly news: readonly string[];
}

/** Follows a newer release. Who was healthy with its image, or boots it now, stays so; who failed gets another chance. */
export function follow(line: RollLine | undefined, read: ReadRelease): RollLine {
  const isSame = line?.read.release.image.id === read.release.image.id;
  const kept = isSame ? [...line.attempts].filter(([, { state, isProven }]) => isProven || state === 'booting') : [];
  return { read, stopped: undefined, attempts: new Map(kept) };
}

/**
 * What a machine that asks for its boot script is to boot. One that asks again without having been healthy has failed:
 * it gets the image it had before, and the roll-out stops.
 */
export function choose(before: RollLine, machine: RollMachine, nowMs: number): Chosen {
  const { line, news } = asked(before, machine, nowMs);
  const { release } = line.read;
  const { name, version, image, instead } = release;
  const other = (why: string): Chosen => ({
    line,
    news,
    wanted: instead === undefined ? [] : [{ image: instead, why }],
  });
  if (!isFor(release, machine)) return other(`${name} ${version} is not for it`);
  const attempt = line.attempts.get(machine.mac);
  if (attempt?.state === 'failed') return other(`it failed with ${name} ${version}: ${attempt.why}`);
  if (line.stopped !== undefined && attempt?.isProven !== true)
    return other(`the roll-out of ${name} ${version} has stopped: ${line.stopped}`);
  const first: Wanted = { image, release: { name, version }, why: `${name} ${version} is for it` };
  return { line, news, wanted: [first, ...other(`the image of ${name} ${version} is on no machine now`).wanted] };
}

/** Looks at a boot before this one. */
function asked(line: RollLine, { mac }: RollMachine, nowMs: number): { line: RollLine; news: readonly string[] } {
  const attempt = line.attempts.get(mac);
  if (attempt?.state !== 'booting') return { line, news: [] };
  if (nowMs - attempt.askedMs < SAME_BOOT_MS) {
    if (attempt.asked < MOST_ASKS) return { line, news: [] };
    return fail(line, mac, `could not load it in ${attempt.asked} tries`);
  }
  const misses = attempt.misses + 1;
  if (attempt.isProven && misses < MISSES_OF_PROVEN) {
    return { line: withAttempt(line, mac, { ...attempt, misses, asked: 0, sinceMs: nowMs }), news: [] };
  }
  const seconds = Math.round((nowMs - attempt.sinceMs) / 1000);
  return fail(line, mac, `started anew after ${seconds} s without having been healthy`);
}

/** It was sent to load the image of the release. */
export function given(line: RollLine, machine: RollMachine, address: string, nowMs: number): RollLine {
  const { mac, hostname } = machine;
  const last = line.attempts.get(mac);
  const isSameBoot = last?.state === 'booting' && nowMs - last.askedMs < SAME_BOOT_MS;
  return withAttempt(line, mac, {
    ...{ state: 'booting', why: '', hostname, address, askedMs: nowMs },
    sinceMs: isSameBoot ? last.sinceMs : nowMs,
    asked: isSameBoot ? last.asked + 1 : 1,
    isProven: last?.isProven ?? false,
    misses: last?.misses ?? 0,
  });
}

/** Somebody chose another thing at the machine: its own disk, say. Who was healthy with the image before stays so. */
export function leftFor(line: RollLine, address: string): RollLine {
  const left = [...line.attempts].filter(([, one]) => one.address === address && one.state === 'booting');
  if (left.length === 0) return line;
  const attempts = new Map(line.attempts);
  for (const [mac, one] of left) {
    if (one.isProven) attempts.set(mac, { ...one, state: 'healthy' });
    else attempts.delete(mac);
  }
  return { ...line, attempts };
}

/** What a machine says of itself, asked at the address that it booted from. */
export interface Report {
  readonly mac: string;
  readonly hostname: string;
  readonly imageId: string | null;
  readonly health: { readonly state: 'starting' | 'healthy' | 'failed'; readonly why: string } | null;
}

export function heard(line: RollLine, { mac, hostname, imageId, health }: Report): Omit<Chosen, 'wanted'> {
  const attempt = line.attempts.get(mac);
  if (attempt?.state !== 'booting' || imageId !== line.read.release.image.id) return { line, news: [] };
  if (health?.state === 'healthy') {
    const healthy: Attempt = { ...attempt, state: 'healthy', why: '', hostname, isProven: true, misses: 0 };
    const { name, version } = line.read.release;
    return { line: withAttempt(line, mac, healthy), news: [`${hostname} (${mac}) is healthy with ${name} ${version}`] };
  }
  if (health?.state === 'failed') return fail(line, mac, health.why);
  return { line: withAttempt(line, mac, { ...attempt, hostname }), news: [] };
}

/** Machines of which nothing good was heard in time. */
export function overdue(before: RollLine, nowMs: number): Omit<Chosen, 'wanted'> {
  let [line, news]: [RollLine, readonly string[]] = [before, []];
  for (const [mac, { state, sinceMs }] of before.attempts) {
    if (state !== 'booting' || nowMs - sinceMs < HEALTHY_WITHIN_MS) continue;
    const failed = fail(line, mac, `was not healthy within ${HEALTHY_WITHIN_MS / 60_000} minutes`);
    [line, news] = [failed.line, [...news, ...failed.news]];
  }
  return { line, news };
}

function fail(line: RollLine, mac: string, why: string): { line: RollLine; news: readonly string[] } {
  const attempt = line.attempts.get(mac);
  if (attempt === undefined) return { line, news: [] };
  const { name, version } = line.read.release;
  const who = `${attempt.hostname} (${mac})`;
  const failed: Attempt = { ...attempt, state: 'failed', why, isProven: false };
  const stopped = line.stopped ?? `${who} ${why}`;
  const news = [`${who} failed with ${name} ${version}: ${why}; it gets the image that it had before`];
  if (line.stopped === undefined) news.push(`the roll-out of ${name} ${version} stops`);
  return { line: { ...withAttempt(line, mac, failed), stopped }, news };
}

/** To the end of the map; who was silent longest goes when there are too many. */
function withAttempt(line: RollLine, mac: string, attempt: Attempt): RollLine {
  const attempts = new Map(line.attempts);
  attempts.delete(mac);
  attempts.set(mac, attempt);
  const [oldest] = attempts.keys();
  if (attempts.size > MOST_ATTEMPTS && oldest !== undefined) attempts.delete(oldest);
  return { ...line, attempts };
}
