/** The directory of `viver field up --store`: what a node keeps there beside chunks. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import { cleanStore } from '../../image/clean-store.ts';
import { writeIndexFile } from '../../image/index-file.ts';
import { makeRoom } from '../../image/make-room.ts';
import { describeError } from '../../linux/describe-error.ts';
import { indexPath } from './image.ts';
import { say } from './say.ts';

/** How often it is counted what is there. */
const COUNT_MS = 30_000;
/** A boot waits no longer for a slow disk: of a large store each file is looked at, and its index may have 80 MB. */
const READY_MS = 2000;

/** A node with a directory is the same node in its next life; where nothing can be written, it is a new one each time. */
export async function nodeIdOf(store: string): Promise<number> {
  const path = join(store, 'node');
  const text = await readFile(path, 'latin1').catch(() => '');
  const known = /^[0-9a-f]{12}\n$/.test(text) ? Number.parseInt(text, 16) : undefined;
  if (known !== undefined) return known;
  const node = randomBytes(6).readUIntBE(0, 6);
  try {
    await mkdir(store, { recursive: true });
    await writeFile(path, `${node.toString(16).padStart(12, '0')}\n`);
  } catch (error) {
    say(`${store} cannot be written: ${describeError(error)}`);
  }
  return node;
}

/**
 * The image is known: its index is kept, its name and id for a boot that finds nobody, and what other images left makes
 * room for it. A store that cannot be written to is told of, and is no reason not to serve.
 */
export async function settleIn(
  store: string,
  image: { readonly id: string; readonly name: string },
  index: ChunkIndex,
  keep: number,
  ownBytes: () => number,
): Promise<void> {
  const failed = (error: unknown): void => say(`${store} is not made ready: ${describeError(error)}`);
  const room = makeRoom(store, index, keep).then((others) => void count(store, () => others + ownBytes()), failed);
  const named = writeIndexFile(indexPath(store, image.id), index)
    .then(() => replace(join(store, 'last'), `${image.id} ${image.name}\n`))
    .catch(failed);
  const stop = new AbortController();
  const ready = Promise.all([room, named]);
  await Promise.race([ready, sleep(READY_MS, undefined, { signal: stop.signal }).catch(() => {})]);
  stop.abort();
  void removeStale(store);
}

/** How much is there is told to the next boot, which knows by it how much of the disk is the store's. */
async function count(store: string, bytes: () => number): Promise<void> {
  for (let said = -1; ; await sleep(COUNT_MS, undefined, { ref: false })) {
    const now = bytes();
    if (now === said) continue;
    said = now;
    try {
      await replace(join(store, 'bytes'), `${now}\n`);
    } catch (error) {
      say(`${store} cannot be written: ${describeError(error)}`);
      return;
    }
  }
}

/** What earlier lives began to write and did not end. */
async function removeStale(store: string): Promise<void> {
  try {
    const { temporary } = await cleanStore(store, { what: 'temporary files', isDryRun: false, nowMs: Date.now() });
    if (temporary > 0) say(`${temporary} temporary files of earlier lives removed`);
  } catch (error) {
    say(`${store} is not cleaned: ${describeError(error)}`);
  }
}

/** Whoever reads it, after a power cut too, finds the old text or the new one. */
async function replace(path: string, text: string): Promise<void> {
  const file = await open(`${path}.tmp`, 'w');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
}
