/** The boot profile of `viver field up`: found, used, recorded, kept in the store, and passed on to others. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FieldNode } from '../../field/node.ts';
import type { Origins } from '../../field/origin/origins.ts';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import { isBoot, passedOn, profileOfRuns } from '../../image/profile/chunk-runs.ts';
import { mergeProfiles } from '../../image/profile/merge.ts';
import { chunkOrder } from '../../image/profile/order.ts';
import { type BootProfile, PROFILE_BYTES_LIMIT, parseProfile, printProfile } from '../../image/profile/profile.ts';
import { describeError } from '../../linux/describe-error.ts';
import { hasCode } from '../../linux/errno.ts';
import { regularFileBytes } from '../../linux/file.ts';
import { BootWatch } from '../boot-watch.ts';
import { say } from './say.ts';

/** Where a boot is looked at whether it is over. */
const LOOK_MS = 5000;
/** Of the boots before, the profile in the store remembers so many: what a boot reads changes. */
const BOOTS_KEPT = 31;

export interface ProfilePlaces {
  /** A person's word. */
  readonly file: string | undefined;
  readonly store: string | undefined;
  readonly origins: Origins;
}

/** Who boots from a node. */
export interface BootReader {
  readonly index: ChunkIndex;
  readonly watch: BootWatch;
  /** Something reads from the node, and may have what it will read fetched ahead. */
  readonly isReading: boolean;
  /** The daemon was started anew on a machine that booted long ago: what is read from now on is no boot. */
  readonly isLate?: boolean;
  /** Settles when no more of the boot is to be seen; else that is over when it reads nothing more. */
  readonly ended?: Promise<true> | undefined;
  /** Why this machine's boot cannot be seen, once it is over. */
  readonly lack?: () => string | undefined;
}

/** Sees what is read of a node's image from now on. */
export function watchBoot(node: FieldNode, index: ChunkIndex): BootWatch {
  const watch = new BootWatch(index, (chunk) => node.boot.firstRead(chunk));
  node.watchReads((offset, end) => watch.read(offset, end));
  return watch;
}

/** What the control socket answers to `profile`; empty while nothing is known. */
export function profileAnswer(watch: BootWatch | undefined): unknown {
  return watch === undefined ? {} : { profile: printProfile(watch.profile()), isOver: watch.isOver };
}

/**
 * Uses the profile there is, of files, of an origin or of peers, and passes on what this boot reads. Never fails: without
 * a profile, or with a bad one, everything is read as it is asked for.
 */
export async function followBoot(node: FieldNode, reader: BootReader, places: ProfilePlaces): Promise<void> {
  const { index, watch, isLate = false, ended, lack } = reader;
  const { store } = places;
  const kept = store === undefined ? undefined : join(store, `${index.id}.profile`);
  try {
    const given = await lookAhead(node, reader, places, kept);
    if (isLate) return;
    while (!watch.isOver) {
      const look = sleep(LOOK_MS, false, { ref: false });
      if (await (ended === undefined ? look : Promise.race([look, ended]))) break;
    }
    const own = watch.profile();
    const why = lack?.() ?? (isBoot(own) ? undefined : 'nearly all of the image was read, which no boot does');
    if (why !== undefined) say(`no boot profile for others: ${why}`);
    // What was wrong for this boot is not passed on.
    else node.boot.give(passedOn(own, node.machine.foresight.isWrong ? undefined : given(), index));
    // Others do not wait for a slow disk, nor do without because of a full one.
    if (kept !== undefined) await keep(own, kept);
  } catch (error) {
    sayNone(error);
  }
}

function sayNone(error: unknown): undefined {
  say(`no boot profile: ${describeError(error)}`);
}

/**
 * Of several places the first that has one: files, and else whoever answers first, or next when that proves wrong.
 * @returns what is used by then
 */
async function lookAhead(
  node: FieldNode,
  { index, isReading, isLate = false }: BootReader,
  { file, origins }: ProfilePlaces,
  kept: string | undefined,
): Promise<() => BootProfile | undefined> {
  let used: BootProfile | undefined;
  const use = (profile: BootProfile | undefined): void => {
    const isTaken = used !== undefined && !node.machine.foresight.isWrong;
    const order = profile === undefined || isTaken ? [] : chunkOrder(profile, index);
    if (order.length === 0) return;
    used = profile;
    node.boot.lookAhead(order);
  };
  // Each place by itself: a file that a power cut has torn keeps nobody from asking others.
  if (file !== undefined) use(await inFile(file).catch(sayNone));
  if (used === undefined && kept !== undefined) use(await inFile(kept).catch(sayUnlessNew));
  if (used === undefined && isReading && !isLate) node.boot.seek((order) => use(profileOfRuns(order, index)));
  if (used === undefined) use(await atOrigins(origins, index.id).catch(sayNone));
  return () => used;
}

/** @throws Error when there is none, or what is there is none */
async function inFile(path: string): Promise<BootProfile> {
  return parseProfile((await regularFileBytes(path, PROFILE_BYTES_LIMIT)).toString('utf8'));
}

/** At the first boot from a store there is nothing to say. */
function sayUnlessNew(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) sayNone(error);
}

/** Most images have none, and that is no trouble. @throws Error when one is there and is none */
async function atOrigins(origins: Origins, id: string): Promise<BootProfile | undefined> {
  if (origins.count === 0) return undefined;
  const bytes = await origins.beside(id, '.profile', PROFILE_BYTES_LIMIT).catch(() => undefined);
  return bytes === undefined ? undefined : parseProfile(Buffer.from(bytes).toString('utf8'));
}

/** What this boot read is kept beside what those before it did. */
async function keep(now: BootProfile, path: string): Promise<void> {
  const before = await regularFileBytes(path, PROFILE_BYTES_LIMIT)
    .then((bytes) => parseProfile(bytes.toString('utf8')))
    .catch(() => undefined); // none, or one that is none: it begins anew
  const merged = before?.image === now.image && before !== undefined ? mergeProfiles([forget(before), now]) : now;
  await writeFile(`${path}.tmp`, printProfile(merged));
  await rename(`${path}.tmp`, path);
}

/** As if fewer boots had been counted. Pure. */
export function forget(profile: BootProfile, boots = BOOTS_KEPT): BootProfile {
  if (profile.boots <= boots) return profile;
  const scale = boots / profile.boots;
  // What one of many boots read is forgotten.
  const ranges = profile.ranges.flatMap((range) => {
    const scaled = Math.round(range.boots * scale);
    return scaled < 1 ? [] : [{ ...range, boots: scaled }];
  });
  return { ...profile, boots, ranges };
}
