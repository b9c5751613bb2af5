import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type CpioEntry, cpioArchive } from '../../codec/cpio.ts';

/** What a path of the archive is made of. */
export type TreeEntry =
  | { readonly kind: 'directory' }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'file'; readonly source: string; readonly executable: boolean; readonly sizeBytes: number }
  | { readonly kind: 'text'; readonly text: string };

/** The archive's contents by path, without a leading slash; a later layer replaces what an earlier one has. */
export type TreeEntries = Map<string, TreeEntry>;

/** A file of this machine, links followed. */
export function fileEntry(source: string): TreeEntry & { readonly kind: 'file' } {
  const { mode, size } = lstatSync(source);
  return { kind: 'file', source, executable: (mode & 0o111) !== 0, sizeBytes: size };
}

/** Adds a path and the directories above it. */
export function addEntry(entries: TreeEntries, path: string, entry: TreeEntry): void {
  const parts = path.split('/');
  for (let length = 1; length < parts.length; length++) {
    const above = parts.slice(0, length).join('/');
    if (!entries.has(above)) entries.set(above, { kind: 'directory' });
  }
  // A directory of one layer in place of another's changes nothing; in place of a link it would hide what that leads to.
  if (entry.kind === 'directory' && entries.has(path)) return;
  entries.set(path, entry);
}

/**
 * Adds all that lies below a directory, at the same paths; links are links.
 * @param wanted whether a path below it comes along; what lies below a directory that does not is not asked for
 * @throws Error for what is neither file, directory nor link
 */
export function addTree(entries: TreeEntries, root: string, wanted: (path: string) => boolean = () => true): void {
  const walk = (above: string): void => {
    for (const name of readdirSync(join(root, above))) {
      const path = join(above, name);
      if (!wanted(path)) continue;
      const source = join(root, path);
      const stat = lstatSync(source);
      if (stat.isDirectory()) {
        addEntry(entries, path, { kind: 'directory' });
        walk(path);
      } else if (stat.isSymbolicLink()) addEntry(entries, path, { kind: 'link', target: readlinkSync(source) });
      else if (stat.isFile()) addEntry(entries, path, fileEntry(source));
      else throw new Error(`${source} is neither a file, a directory nor a link: it cannot be in an initrd`);
    }
  };
  walk('');
}

/**
 * BusyBox and its /sbin/init first, the loader of everything else last: the kernel then tells by itself, through that
 * script, that the archive did not fit into the memory.
 */
export function archiveRank(path: string): number {
  if (/^lib[^/]*\/(.*\/)?ld-linux[^/]*$/.test(path)) return 3;
  if (path === 'init') return 2;
  return /^lib\/(modules|firmware)\//.test(path) ? 1 : 0;
}

/** In the archive's order, the same everywhere: by rank, then byte by byte. A directory comes before what is in it. */
export function inArchiveOrder(entries: TreeEntries): (readonly [path: string, entry: TreeEntry])[] {
  return [...entries].sort(
    ([left], [right]) =>
      archiveRank(left) - archiveRank(right) || Buffer.compare(Buffer.from(left), Buffer.from(right)),
  );
}

const PAGE_BYTES = 4096;

/** What the unpacked archive takes of memory, in MiB: whole pages, and one for each directory. */
export function unpackedMib(entries: TreeEntries): number {
  let pages = 0;
  for (const entry of entries.values()) {
    if (entry.kind === 'directory' || entry.kind === 'text') pages += 1;
    else if (entry.kind === 'file') pages += Math.ceil(entry.sizeBytes / PAGE_BYTES);
  }
  return Math.ceil((pages * PAGE_BYTES) / 2 ** 20);
}

/** One owner, one time, one kind of permissions: what the archive says does not depend on who made it. */
export function* archiveEntries(entries: TreeEntries, mtimeSeconds: number): Generator<CpioEntry> {
  for (const [name, entry] of inArchiveOrder(entries)) {
    if (entry.kind === 'directory') yield { name, mtimeSeconds, mode: 0o040755 };
    else if (entry.kind === 'link') yield { name, mtimeSeconds, mode: 0o120777, data: Buffer.from(entry.target) };
    else if (entry.kind === 'text') yield { name, mtimeSeconds, mode: 0o100644, data: Buffer.from(entry.text) };
    else {
      const mode = entry.executable ? 0o100755 : 0o100644;
      yield { name, mtimeSeconds, mode, data: readFileSync(entry.source) };
    }
  }
}

/**
 * What the kernel opens before /init. An archive of their own, behind the tree's: who unpacks that one need not be root,
 * as making device nodes would ask.
 */
export const DEVICE_NODES: readonly CpioEntry[] = [
  { name: 'dev', mode: 0o040755, mtimeSeconds: 0 },
  { name: 'dev/console', mode: 0o020600, mtimeSeconds: 0, device: { major: 5, minor: 1 } },
  { name: 'dev/null', mode: 0o020666, mtimeSeconds: 0, device: { major: 1, minor: 3 } },
];

/** All of an initrd: the tree's archive, and behind it that of the nodes. */
export function* bothArchives(entries: TreeEntries, seconds: number): Generator<Uint8Array> {
  yield* cpioArchive(archiveEntries(entries, seconds));
  yield* cpioArchive(DEVICE_NODES);
}
