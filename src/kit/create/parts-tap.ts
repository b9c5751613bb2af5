import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describeError } from '../../linux/describe-error.ts';
import type { EntryKind, TreeEntry } from '../../squashfs/entry.ts';
import { sourceDate } from '../source-date.ts';
import { BASE_NAMES } from '../spdx/bases/package-bases.ts';
import type { Distribution } from '../spdx/distribution.ts';
import { KeptParts } from '../spdx/kept-parts.ts';
import { documentPieces, partsDocument, unreadableRecords } from '../spdx/parts-document.ts';
import { LIST_PLACE } from '../spdx/places.ts';
import { directoryEntry, fileEntry } from './boot-files.ts';

type Entries = AsyncIterable<TreeEntry> | Iterable<TreeEntry>;

interface Context {
  /** How messages call the source. */
  readonly name: string;
  /** A directory for files under way. */
  readonly work: string;
  readonly signal: AbortSignal;
  /** Told what a person should know of the list. */
  readonly say: (line: string) => unknown;
}

/** `usr`, `usr/share`, `usr/share/viver`. */
const PARENTS = LIST_PLACE.split('/')
  .slice(0, -1)
  .map((_, i, parts) => parts.slice(0, i + 1).join('/'));
/** What squashfs can keep, and what a date can be made of. */
const LATEST_SECONDS = 0xffffffff;

/**
 * The entries, and behind them the list of what is in the image, made of what goes by: an SPDX document at LIST_PLACE, in the
 * place of one that an earlier image had there. What cannot be listed is said in one line, and the image is made all the same.
 */
export async function* withPartsList(entries: Entries, context: Context): AsyncGenerator<TreeEntry, void, void> {
  const { name, work, say } = context;
  using kept = new KeptParts(work);
  const way = new Map<string, EntryKind>();
  let isHeld = false;
  for await (const entry of entries) {
    const path = entry.path.toString('latin1');
    if (PARENTS.includes(path) || path === LIST_PLACE) way.set(path, entry.kind);
    isHeld ||= path.startsWith(`${LIST_PLACE}/`);
    yield kept.pass(entry);
  }
  const file = join(work, 'image.spdx.json');
  let seconds: number;
  try {
    if (!kept.hasBase) throw new Error(`it has no package data base of ${BASE_NAMES}`);
    requireWay(way, isHeld);
    seconds = await writeList(kept, file, context);
  } catch (error) {
    context.signal.throwIfAborted();
    const stays = way.has(LIST_PLACE) ? `; what it has at /${LIST_PLACE} stays as it is` : '';
    say(`${name}: no SPDX list in the image: ${describeError(error)}${stays}`);
    return;
  }
  for (const path of PARENTS) if (!way.has(path)) yield directoryEntry(path, seconds);
  yield fileEntry(LIST_PLACE, file, seconds);
}

/** @throws Error when the list would lie below something that is no directory, or in the place of one */
function requireWay(way: ReadonlyMap<string, EntryKind>, isHeld: boolean): void {
  for (const path of PARENTS) {
    const kind = way.get(path) ?? 'directory';
    if (kind !== 'directory') throw new Error(`/${path} is no directory but a ${kind}`);
  }
  if (isHeld || way.get(LIST_PLACE) === 'directory') throw new Error(`/${LIST_PLACE} is a directory`);
}

/** @returns its time: that of the data bases, so that the same packages give the same list whenever the image is made */
async function writeList(kept: KeptParts, file: string, { name, signal, say }: Context): Promise<number> {
  const source = kept.source();
  const seconds = Math.min(source.seconds, sourceDate() ?? LATEST_SECONDS, LATEST_SECONDS);
  const copyright = async (of: string): Promise<string | undefined> => {
    await nextTurn(undefined, { signal });
    return source.copyright(of);
  };
  const document = await partsDocument({ ...source, copyright }, { name: nameOf(source.distribution), seconds });
  await pipeline(Readable.from(documentPieces(document)), createWriteStream(file));
  if (source.unreadable > 0) say(`${name}: ${unreadableRecords(source.unreadable)}`);
  return seconds;
}

/** Not the image's own: the same tree gives the same image under any name. */
function nameOf(distribution: Distribution | undefined): string {
  const { id = 'linux', version } = distribution ?? {};
  return version === undefined ? id : `${id}-${version}`;
}
