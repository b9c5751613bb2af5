import { join } from 'node:path';
import { stateAt, type Written } from '../../root/written.ts';
import type { TreeEntry } from '../../squashfs/entry.ts';
import type { ImageEntry } from '../../squashfs/squashfs-image.ts';

/** The image below the running system. */
export interface LowerImage {
  find(path: Buffer): ImageEntry | undefined;
  walk(from: ImageEntry): Iterable<ImageEntry>;
}

export interface WrittenOptions {
  /** The running root; `/` unless in a test. */
  readonly root: string;
  readonly written: Written;
  readonly lower: LowerImage;
  /** What is never in an image. */
  readonly omits: (path: string, isDirectory: boolean) => boolean;
}

/**
 * The entries of a running system without what VIVER itself wrote there: the image's own come in their place. What
 * somebody has changed since VIVER wrote it stays as it is.
 */
export async function* withoutWritten(
  entries: AsyncIterable<TreeEntry> | Iterable<TreeEntry>,
  { root, written, lower, omits }: WrittenOptions,
): AsyncGenerator<TreeEntry, void, void> {
  const ours = new Map(
    [...written]
      .filter(([path, state]) => stateAt(join(root, path)) === state)
      .map(([path, state]) => [bytesOf(path), state]),
  );
  /** Directories that VIVER made: in the image only when something of others lies in them. */
  let held: TreeEntry[] = [];
  const given = new Set<string>();
  for await (const entry of entries) {
    const key = entry.path.toString('latin1');
    held = held.filter(({ path }) => entry.path.subarray(0, path.length + 1).equals(Buffer.concat([path, SLASH])));
    if (ours.has(key)) {
      const before = lower.find(entry.path);
      if (entry.kind === 'directory' && before === undefined) {
        held.push(entry);
        continue;
      }
      if (before?.kind !== 'directory' || entry.kind !== 'directory') continue; // given at the end, as the image has it
    }
    yield* held;
    held = [];
    if (entry.kind === 'hardlink' && ours.has(entry.target?.toString('latin1') ?? '')) {
      // VIVER replaces files and links none: its name became another's only after that.
      throw new Error(`/${key} is another name of a file that VIVER wrote: remove one of the two`);
    }
    given.add(key);
    yield entry;
  }
  for (const [key, state] of ours) {
    const from = lower.find(Buffer.from(key, 'latin1'));
    if (from === undefined || state === 'directory' || given.has(key)) continue;
    // A directory that lies no more where it was: somebody has taken it away with all it held.
    if (!given.has(parentOf(key))) continue;
    for (const entry of lower.walk(from)) {
      const path = entry.path.toString('latin1');
      if (!given.has(path) && !omits(path, entry.kind === 'directory')) yield entry;
    }
  }
}

const SLASH = Buffer.from('/');

/** As entries have it: no slash in front, a character a byte. */
const bytesOf = (path: string): string => Buffer.from(path.slice(1)).toString('latin1');

const parentOf = (key: string): string => key.slice(0, Math.max(0, key.lastIndexOf('/')));
