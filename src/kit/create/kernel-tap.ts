import { closeSync, lstatSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasCode } from '../../linux/errno.ts';
import type { FileContent, TreeEntry } from '../../squashfs/entry.ts';

/** Of a stream that goes by once: what an initrd is made of. */
const WANTED = /^(?:boot\/[^/]+|(?:usr\/)?lib\/(?:modules|firmware)\/.+|etc\/os-release|usr\/lib\/os-release)$/;
/** Where trees have them as links: `lib` of a merged one. */
const LINKS = new Set(['lib', 'boot', 'usr/lib', 'lib/modules', 'lib/firmware', 'usr/lib/firmware']);

type Entries = AsyncIterable<TreeEntry> | Iterable<TreeEntry>;

/**
 * Lets entries pass and keeps a copy of their kernels, modules and firmware in `directory`, laid out as in the tree. A
 * name that is a link there leads nowhere outside: links are made last, and only those that stay inside by their text.
 */
export async function* tapKernel(entries: Entries, directory: string): AsyncGenerator<TreeEntry, void, void> {
  const links: TreeEntry[] = [];
  for await (const entry of entries) {
    const path = entry.path.toString('latin1');
    const isLink = entry.kind === 'symlink' || entry.kind === 'hardlink';
    if (isLink && (WANTED.test(path) || LINKS.has(path))) links.push(entry);
    yield entry.kind === 'file' && WANTED.test(path) ? tapped(entry, join(directory, path)) : entry;
  }
  for (const link of links) addLink(directory, link);
}

/** The file as it is, what is read of it written to `copy` as well. */
function tapped(entry: TreeEntry, copy: string): TreeEntry {
  const { open } = entry;
  if (open === undefined) return entry;
  return { ...entry, open: async () => withCopy(await open(), copy) };
}

function withCopy(content: FileContent, copy: string): FileContent {
  mkdirSync(dirname(copy), { recursive: true });
  const fd = openSync(copy, 'w');
  const { nextData } = content;
  return {
    size: content.size,
    async read(into, offset) {
      const had = await content.read(into, offset);
      for (let done = 0; done < had; ) done += writeSync(fd, into, done, had - done, offset + done);
      return had;
    },
    ...(nextData === undefined ? {} : { nextData: (offset: number) => nextData.call(content, offset) }),
    close() {
      closeSync(fd);
      return content.close();
    },
  };
}

/** A link whose text goes up first and then only down: then it ends below the directory, whatever it leads over. */
const STAYS_BELOW = /^(?:\.\.\/)*(?:(?!\.\.?(?:\/|$))[^/]+(?:\/|$))+$/;

function addLink(directory: string, entry: TreeEntry): void {
  const path = entry.path.toString('latin1');
  const up = path.split('/').length - 1;
  // the other name of a file is a link from the root to it
  const text = (entry.target ?? Buffer.alloc(0)).toString('latin1');
  const target = entry.kind === 'hardlink' ? '../'.repeat(up) + text : text.replace(/^\/+/, '../'.repeat(up));
  const climbs = /^(?:\.\.\/)*/.exec(target)?.[0].length ?? 0;
  if (!STAYS_BELOW.test(target) || climbs / 3 > up) return;
  const place = join(directory, path);
  try {
    mkdirSync(dirname(place), { recursive: true });
    if (!isRealDirectory(directory, dirname(path))) return;
    symlinkSync(target, place);
  } catch (error) {
    // what is there already is a file or directory of the same tree
    if (!hasCode(error, 'EEXIST', 'ENOTDIR')) throw error;
  }
}

/** Whether no part of the way is a link. */
function isRealDirectory(directory: string, path: string): boolean {
  const parts = path === '.' ? [] : path.split('/');
  return parts.every((_, i) => lstatSync(join(directory, ...parts.slice(0, i + 1))).isDirectory());
}
