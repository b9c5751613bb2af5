/** The boot profile of `viver field up`: found, used, recorded, and kept in the store. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FieldNode } from '../../field/node.ts';
import type { Origins } from '../../field/origin/origins.ts';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import { mergeProfiles } from '../../image/profile/merge.ts';
import { chunkOrder } from '../../image/profile/order.ts';
import { type BootProfile, PROFILE_BYTES_LIMIT, parseProfile, printProfile } from '../../image/profile/profile.ts';
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

/** Sees what is read of a node's image from now on. */
export function watchBoot(node: FieldNode, index: ChunkIndex): BootWatch {
  const watch = new BootWatch(index, (chunk) => node.firstRead(chunk));
  node.watchReads((offset, end) => watch.read(offset, end));
  return watch;
}

/** What the control socket answers to `profile`; empty while nothing is known. */
export function profileAnswer(watch: BootWatch | undefined): unknown {
  return watch === undefined ? {} : { profile: printProfile(watch.profile()), isOver: watch.isOver };
}

/** Never fails: without a profile, or with a bad one, everything is read as it is asked for. */
export async function lookAhead(
  node: FieldNode,
  index: ChunkIndex,
  watch: BootWatch,
  places: ProfilePlaces,
): Promise<void> {
  const { file, store, origins } = places;
  const kept = store === undefined ? undefined : join(store, `${index.id}.profile`);
  try {
    const profile = await find([file, kept], origins, index.id);
    if (profile !== undefined) node.lookAhead(chunkOrder(profile, index));
    if (kept !== undefined) await keep(watch, kept);
  } catch (error) {
    say(`no boot profile: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The first there is. @throws Error when one is there and is none */
async function find(
  files: readonly (string | undefined)[],
  origins: Origins,
  id: string,
): Promise<BootProfile | undefined> {
  for (const path of files) {
    if (path === undefined) continue;
    const bytes = await regularFileBytes(path, PROFILE_BYTES_LIMIT).catch((error: unknown) => {
      if (path === files[0] || !hasCode(error, 'ENOENT')) throw error;
      return undefined; // the first boot from this store
    });
    if (bytes !== undefined) return parseProfile(bytes.toString('utf8'));
  }
  if (origins.count === 0) return undefined;
  // Most images have none, and that is no trouble.
  const bytes = await origins.beside(id, '.profile', PROFILE_BYTES_LIMIT).catch(() => undefined);
  return bytes === undefined ? undefined : parseProfile(Buffer.from(bytes).toString('utf8'));
}

/** When the boot is over, what it read is kept beside what those before it did. */
async function keep(watch: BootWatch, path: string): Promise<void> {
  while (!watch.isOver) await sleep(LOOK_MS, undefined, { ref: false });
  const now = watch.profile();
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
