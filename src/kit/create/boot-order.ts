import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PROFILE_BYTES_LIMIT, parseProfile } from '../../image/profile/profile.ts';
import { firstReadOf } from '../../image/profile/ranks.ts';
import type { FileContent, TreeEntry } from '../../squashfs/entry.ts';
import { SquashfsImage } from '../../squashfs/squashfs-image.ts';
import type { EarlierImage } from './earlier-image.ts';

type Entries = AsyncIterable<TreeEntry> | Iterable<TreeEntry>;

/** Files of more are left where they are: a boot reads a little of each. */
const LARGEST_BYTES = 64 << 20;
/** What is put in order, at most: it lies in a file beside the output meanwhile. */
const MOST_BYTES = 2 ** 31;
const PIECE_BYTES = 1 << 20;

/** When a boot first reads each file that it reads at all, by paths as entries have them. */
export type BootOrder = ReadonlyMap<string, number>;

/**
 * `--profile NAME.profile`: its ranges of bytes as files of the image that it was recorded from.
 * @param image that image
 * @throws Error when the profile cannot be read, or is of another image
 */
export async function readBootOrder(
  path: string,
  image: string,
  { index }: Pick<EarlierImage, 'index'>,
): Promise<BootOrder> {
  const { size } = await stat(path);
  if (size > PROFILE_BYTES_LIMIT) throw new Error(`${path} has ${size} bytes: no boot profile`);
  const profile = parsed(path, await readFile(path, 'utf8'));
  if ((profile.image ?? index.id) !== index.id || profile.size !== index.size) {
    throw new Error(`${path} was recorded from another image than ${image}: --base wants the image it is of`);
  }
  const rank = firstReadOf(profile);
  const order = new Map<string, number>();
  using base = new SquashfsImage(image);
  for (const entry of base.walk()) {
    const first = entry.kind === 'file' ? rank(base.packedSpans(entry)) : undefined;
    if (first !== undefined) order.set(entry.path.toString('latin1'), first);
  }
  return order;
}

function parsed(path: string, text: string) {
  try {
    return parseProfile(text);
  } catch (cause) {
    throw new Error(path, { cause });
  }
}

/**
 * The entries with the files that a boot reads last, in the order in which it reads them: so they lie side by side. A
 * source gives its files once and in its own order, so these are kept in a file until then.
 * @param work a directory for that file
 */
export async function* inBootOrder(
  entries: Entries,
  order: BootOrder,
  work: string,
): AsyncGenerator<TreeEntry, void, void> {
  const waiting = new Map<string, TreeEntry>();
  const links: TreeEntry[] = [];
  const fd = openSync(join(work, 'boot-order'), 'w+', 0o600);
  let end = 0;
  try {
    for await (const entry of entries) {
      const key = entry.path.toString('latin1');
      // The later one of two with a path counts, and it may be another thing than the first.
      waiting.delete(key);
      if (entry.kind === 'hardlink' && waiting.has(entry.target?.toString('latin1') ?? '')) links.push(entry);
      else if (!isToWait(entry, order.has(key), end)) yield entry;
      else {
        const at = end;
        const size = await keep(entry, fd, at);
        end += size;
        waiting.set(key, { ...entry, size, open: () => keptContent(fd, at, size) });
      }
    }
    const rankOf = ({ path }: TreeEntry): number => order.get(path.toString('latin1')) ?? 0;
    // Files read with one block have one rank; the sort leaves them in the source's order.
    yield* [...waiting.values()].sort((a, b) => rankOf(a) - rankOf(b));
    yield* links;
  } finally {
    closeSync(fd);
  }
}

function isToWait({ kind, open, size = 0 }: TreeEntry, isRead: boolean, kept: number): boolean {
  return isRead && kind === 'file' && open !== undefined && size <= LARGEST_BYTES && kept + size <= MOST_BYTES;
}

/** @returns the file's bytes */
async function keep(entry: TreeEntry, fd: number, at: number): Promise<number> {
  const content = await entry.open?.();
  if (content === undefined) return 0;
  try {
    const piece = Buffer.alloc(Math.min(PIECE_BYTES, content.size));
    for (let offset = 0; offset < content.size; ) {
      const got = await content.read(piece.subarray(0, Math.min(piece.length, content.size - offset)), offset);
      if (got === 0) throw new Error(`${entry.path} ends after ${offset} of ${content.size} bytes`);
      for (let done = 0; done < got; ) done += writeSync(fd, piece, done, got - done, at + offset + done);
      offset += got;
    }
    return content.size;
  } finally {
    await content.close();
  }
}

function keptContent(fd: number, at: number, size: number): FileContent {
  return {
    size,
    read: (into, offset) => readSync(fd, into, 0, Math.min(into.length, size - offset), at + offset),
    close() {},
  };
}
