import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { hasCode } from '../linux/errno.ts';
import { makeNode } from '../linux/make-node.ts';
import { setXattr } from '../linux/xattr.ts';
import type { TreeEntry } from './entry.ts';
import { printable } from './entry-tree.ts';

const PIECE = 1024 * 1024;
const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;
const SET_ID = 0o6000;

export interface ExtractReport {
  readonly entries: number;
  readonly bytes: number;
  /** What only root can make or keep, when somebody else extracts: how many of each. */
  readonly left: ReadonlyMap<string, number>;
}

interface Level {
  readonly entry: TreeEntry;
  readonly fd: number;
  /** Its name in the directory above. */
  readonly at: Buffer;
}

/**
 * Makes files of entries below `directory`, which must be empty or not there. Each directory must come before what lies in
 * it, as `SquashfsImage.walk` gives them. Everything is made through open directories and never through a link, so that
 * nothing can be made outside. As root owners, devices and all attributes are kept; as somebody else what can be, and the
 * rest is counted.
 * @throws Error naming the entry that could not be made
 */
export async function extractEntries(
  entries: Iterable<TreeEntry>,
  directory: string,
  options: { readonly signal?: AbortSignal; readonly onProgress?: (doneBytes: number) => void } = {},
): Promise<ExtractReport> {
  using extractor = new Extractor(directory, options.onProgress);
  for (const entry of entries) {
    options.signal?.throwIfAborted();
    await extractor.make(entry);
  }
  return extractor.finish();
}

class Extractor {
  readonly #root: number;
  readonly #levels: Level[] = [];
  readonly #left = new Map<string, number>();
  readonly #isRoot = process.geteuid?.() === 0;
  readonly #buffer = Buffer.alloc(PIECE);
  readonly #onProgress: ((doneBytes: number) => void) | undefined;
  #entries = 0;
  #bytes = 0;

  constructor(directory: string, onProgress: ((doneBytes: number) => void) | undefined) {
    this.#onProgress = onProgress;
    try {
      mkdirSync(directory);
    } catch (cause) {
      if (!hasCode(cause, 'EEXIST')) throw new Error(`cannot make ${directory}`, { cause });
    }
    if (readdirSync(directory).length > 0)
      throw new Error(`${directory} is not empty: what is there would be mixed up`);
    this.#root = openSync(directory, O_RDONLY | O_DIRECTORY);
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#levels.splice(0)) closeSync(fd);
    closeSync(this.#root);
  }

  async make(entry: TreeEntry): Promise<void> {
    try {
      this.#leaveTo(entry.path);
      const parent = this.#levels.at(-1)?.fd ?? this.#root;
      const at = below(parent, lastPart(entry.path));
      await this.#make(entry, at);
      this.#entries++;
    } catch (cause) {
      throw new Error(`cannot make ${printable(entry.path)}`, { cause });
    }
  }

  finish(): ExtractReport {
    while (this.#levels.length > 0) this.#leave();
    return { entries: this.#entries, bytes: this.#bytes, left: this.#left };
  }

  /** Ends the directories that `path` does not lie in. */
  #leaveTo(path: Buffer): void {
    for (let top = this.#levels.at(-1); top !== undefined; top = this.#levels.at(-1)) {
      const { path: directory } = top.entry;
      if (directory.length === 0 || path.subarray(0, directory.length + 1).equals(Buffer.concat([directory, SLASH])))
        break;
      this.#leave();
    }
    const inside = path.lastIndexOf(0x2f);
    const parent = this.#levels.at(-1)?.entry.path ?? Buffer.alloc(0);
    if (!path.subarray(0, Math.max(inside, 0)).equals(parent)) throw new Error('its directory did not come before it');
  }

  /** A directory gets its mode and time when nothing more is made in it. */
  #leave(): void {
    const level = this.#levels.pop();
    if (level === undefined) return;
    try {
      this.#own(level.entry, level.at, level.fd);
    } finally {
      closeSync(level.fd);
    }
  }

  async #make(entry: TreeEntry, at: Buffer): Promise<void> {
    switch (entry.kind) {
      case 'directory': {
        const isTop = entry.path.length === 0;
        if (!isTop) mkdirSync(at, 0o700);
        const place = isTop ? below(this.#root, HERE) : at;
        this.#levels.push({ entry, fd: openSync(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), at: place });
        return;
      }
      case 'file':
        return await this.#makeFile(entry, at);
      case 'hardlink':
        linkSync(below(this.#root, entry.target ?? Buffer.alloc(0)), at);
        return;
      case 'symlink':
        symlinkSync(entry.target ?? Buffer.alloc(0), at);
        if (this.#isRoot) lchownSync(at, entry.uid, entry.gid);
        this.#setAttributes(entry, at);
        lutimesSync(at, entry.mtime, entry.mtime);
        return;
      default:
        return this.#makeNode(entry, entry.kind, at);
    }
  }

  #makeNode(entry: TreeEntry, kind: 'block' | 'character' | 'fifo' | 'socket', at: Buffer): void {
    if (!this.#isRoot && kind !== 'fifo' && kind !== 'socket') this.#count('devices');
    else {
      makeNode(at, kind, entry.device);
      this.#own(entry, at);
    }
  }

  async #makeFile(entry: TreeEntry, at: Buffer): Promise<void> {
    const opening = entry.open?.();
    if (opening === undefined) throw new Error('it cannot be read');
    const content = opening instanceof Promise ? await opening : opening;
    const fd = openSync(at, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      for (let offset = 0; offset < content.size; ) {
        offset = (await content.nextData?.(offset)) ?? offset;
        const part = this.#buffer.subarray(0, Math.min(PIECE, content.size - offset));
        const got = await content.read(part, offset);
        if (got === 0) break;
        writeAll(fd, part.subarray(0, got), offset);
        offset += got;
        this.#bytes += got;
        this.#onProgress?.(this.#bytes);
      }
      ftruncateSync(fd, content.size); // a hole at the end
      this.#own(entry, at, fd);
    } finally {
      closeSync(fd);
      await content.close();
    }
  }

  /** Owner, attributes, mode, time: in this order, as each undoes something of the ones after it. */
  #own(entry: TreeEntry, at: Buffer, fd?: number): void {
    const { uid, gid, mode, mtime } = entry;
    const kept = this.#isRoot ? mode : mode & ~SET_ID;
    if (kept !== mode) this.#count('set-user-id and set-group-id bits');
    if (this.#isRoot) lchownSync(at, uid, gid);
    this.#setAttributes(entry, at);
    if (fd === undefined) {
      chmodSync(at, kept); // just made, by root, in a directory that is open: it is no link
      lutimesSync(at, mtime, mtime);
    } else {
      fchmodSync(fd, kept);
      futimesSync(fd, mtime, mtime);
    }
  }

  #setAttributes({ attributes }: TreeEntry, at: Buffer): void {
    for (const [name, value] of attributes ?? []) {
      if (this.#isRoot || name.startsWith('user.')) setXattr(at, Buffer.from(name, 'latin1'), value);
      else this.#count(`attributes ${name}`);
    }
  }

  #count(what: string): void {
    this.#left.set(what, (this.#left.get(what) ?? 0) + 1);
  }
}

const SLASH = Buffer.from('/');
const HERE = Buffer.from('.');

/** A name in an open directory. */
function below(fd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
}

function lastPart(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(0x2f) + 1);
}

function writeAll(fd: number, bytes: Buffer, offset: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
  }
}
