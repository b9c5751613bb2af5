import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
} from 'node:fs';
import { describeError } from '../../../linux/describe-error.ts';
import { errorText, hasCode, SyscallError } from '../../../linux/errno.ts';
import { listXattrs } from '../../../linux/xattr.ts';
import type { EntryKind, TreeEntry } from '../../../squashfs/entry.ts';
import { type NamedReason, readable, type SourceReport, UnreadableFiles } from '../report.ts';
import { FileReading } from './file-reading.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
/** A link that took the place of what was looked at is not followed, and no FIFO is waited for. */
const SAFE = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

/** How often a file is read when it changes meanwhile. */
const READINGS = 3;

/** What a path of the tree is where another file system is mounted. */
export type Crossing =
  /** Walked as part of the tree; `fd`: an open directory that shows it without what is mounted over it. */
  | { readonly kind: 'enter'; readonly fd?: number }
  /** An empty directory in the image; without a reason nobody is told, as everybody expects it. */
  | { readonly kind: 'leave'; readonly why?: string; readonly sees: Sees };

/**
 * What is seen at a mount point that is left out: what the tree itself has there (the walk goes through a view without
 * mounts), the mounted file system, or nothing, as nobody may look: its server may not answer for ever.
 */
export type Sees = 'hidden' | 'mounted' | 'nothing';

export interface WalkOptions {
  /** For messages: how the tree is called. */
  readonly name: string;
  /** Open directory: the tree's root. Stays the caller's. */
  readonly rootFd: number;
  /** What lies at this path, one character a byte (latin1); undefined: nothing but what the directory holds. */
  readonly crossing?: (path: string) => Crossing | undefined;
  /** A directory on another file system that is no mount: a btrfs subvolume, say. */
  readonly foreign: (path: string, fd: number, stat: BigIntStats) => Crossing;
  /** Not to be in the image at all. Below what is left out nothing is looked at. */
  readonly omits?: (path: string, isDirectory: boolean) => boolean;
  /** The image that is being made, and what belongs to it. */
  readonly isOwn?: (directory: BigIntStats, name: string) => boolean;
  readonly report: SourceReport;
}

interface Level {
  readonly fd: number;
  readonly stat: BigIntStats;
  /** Ends in `/` unless it is the root's, which is empty. */
  readonly prefix: Buffer;
  readonly names: readonly Buffer[];
  next: number;
}

/**
 * The entries of a directory tree, each directory before what is in it, names in the order of their bytes: the same tree
 * gives the same entries. Each file is opened before it is given, through its directory, so that neither a link put in
 * its place nor a file that goes is met later. An entry may be given again when its file changed while it was read;
 * the later one counts. Names are bytes of any encoding.
 *
 * Must be read by one who opens each file before asking for the next entry.
 * @throws UnreadableFiles at the end, with all that cannot be read
 */
export function* walkTree(options: WalkOptions): Generator<TreeEntry, void, void> {
  const walk = new Walk(options);
  try {
    yield* walk.entries();
  } finally {
    walk.close();
  }
  if (walk.unreadable.length > 0) throw new UnreadableFiles(options.name, walk.unreadable);
}

class Walk {
  readonly unreadable: NamedReason[] = [];
  readonly #options: WalkOptions;
  readonly #levels: Level[] = [];
  /** First names of files that have several, by device and inode. */
  readonly #linked = new Map<string, Buffer>();

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  close(): void {
    for (const { fd } of this.#levels.splice(0)) closeSync(fd);
  }

  *entries(): Generator<TreeEntry, void, void> {
    const root = openSync(below(this.#options.rootFd, HERE), SAFE | O_DIRECTORY);
    let stat: BigIntStats;
    try {
      stat = fstatSync(root, { bigint: true });
      this.#enter(root, NO_PATH, stat);
    } catch (error) {
      closeSync(root);
      throw error;
    }
    yield* this.#give({ ...describe(NO_PATH, 'directory', stat), ...attributesOf(root, HERE) });
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      const name = level.names[level.next++];
      if (name === undefined) {
        closeSync(level.fd);
        this.#levels.pop();
      } else yield* this.#visit(level, name);
    }
  }

  /** Once a file cannot be read no image is made: what follows is only looked at. */
  *#give(entry: TreeEntry): Generator<TreeEntry, void, void> {
    if (this.unreadable.length === 0) yield entry;
  }

  *#visit(level: Level, name: Buffer): Generator<TreeEntry, void, void> {
    const path = Buffer.concat([level.prefix, name]);
    const key = path.toString('latin1');
    const { crossing, omits, isOwn } = this.#options;
    if (isOwn?.(level.stat, name.toString('latin1')) === true) return this.#leaveOut(path, 'the image itself');
    const mounted = crossing?.(key);
    try {
      if (mounted?.kind === 'leave' && mounted.sees === 'nothing') {
        if (omits?.(key, true) === true) return;
        this.#leaveOut(path, mounted.why);
        return yield* this.#give(emptyDirectory(path));
      }
      const stat = lstatSync(below(level.fd, name), { bigint: true });
      if (omits?.(key, stat.isDirectory()) === true) return;
      if (stat.isDirectory()) yield* this.#directory(level, name, path, stat, mounted);
      else if (mounted?.kind === 'leave' && mounted.sees === 'mounted') this.#leaveOut(path, mounted.why);
      else if (stat.isFile()) yield* this.#file(level, name, path, stat);
      else yield* this.#other(level, name, path, stat);
    } catch (error) {
      this.#failed(path, error);
    }
  }

  #leaveOut(path: Buffer, why: string | undefined): void {
    if (why !== undefined) this.#options.report.leftOut.push({ path: readable(path), why });
  }

  #failed(path: Buffer, error: unknown): void {
    if (hasCode(error, ...GONE)) this.#options.report.vanished.push(readable(path));
    else if (isOfThisFile(error)) this.unreadable.push({ path: readable(path), why: reasonOf(error) });
    else throw error;
  }

  *#directory(
    level: Level,
    name: Buffer,
    path: Buffer,
    seen: BigIntStats,
    mounted: Crossing | undefined,
  ): Generator<TreeEntry, void, void> {
    if (mounted?.kind === 'leave') {
      this.#leaveOut(path, mounted.why);
      return yield* this.#give({ ...describe(path, 'directory', seen), ...attributesOf(level.fd, name) });
    }
    const at = mounted?.fd === undefined ? below(level.fd, name) : below(mounted.fd, HERE);
    const fd = openSync(at, SAFE | O_DIRECTORY);
    let isEntered = false;
    try {
      const stat = fstatSync(fd, { bigint: true });
      const inside = mounted === undefined && stat.dev !== level.stat.dev ? this.#foreign(path, fd, stat) : mounted;
      const entry = { ...describe(path, 'directory', stat), ...attributesOf(fd, HERE) };
      if (inside?.kind !== 'leave') {
        this.#enter(fd, Buffer.concat([path, SLASH]), stat);
        isEntered = true;
      }
      yield* this.#give(entry);
    } finally {
      if (!isEntered) closeSync(fd);
    }
  }

  #foreign(path: Buffer, fd: number, stat: BigIntStats): Crossing {
    const crossing = this.#options.foreign(path.toString('latin1'), fd, stat);
    if (crossing.kind === 'leave') this.#leaveOut(path, crossing.why);
    return crossing;
  }

  /** Makes the open directory the next to be read; it is closed when all of it was. */
  #enter(fd: number, prefix: Buffer, stat: BigIntStats): void {
    const names = readdirSync(below(fd, HERE), { encoding: 'buffer' }).sort(Buffer.compare);
    this.#levels.push({ fd, stat, prefix, names, next: 0 });
  }

  *#file(level: Level, name: Buffer, path: Buffer, seen: BigIntStats): Generator<TreeEntry, void, void> {
    const first = this.#firstName(path, seen);
    if (first !== undefined) return yield* this.#give(hardLink(path, first, seen));
    for (let round = 1; ; round++) {
      const { reading, stat } = openReading(below(level.fd, name));
      try {
        const entry = { ...describe(path, 'file', stat), ...attributesOf(level.fd, name) };
        yield* this.#give({ ...entry, size: reading.size, open: () => reading });
      } finally {
        reading.close();
      }
      if (reading.error !== undefined) throw reading.error;
      if (!reading.changed) return;
      if (round === READINGS) return void this.#options.report.changed.push(readable(path));
    }
  }

  *#other(level: Level, name: Buffer, path: Buffer, stat: BigIntStats): Generator<TreeEntry, void, void> {
    const first = this.#firstName(path, stat);
    if (first !== undefined) return yield* this.#give(hardLink(path, first, stat));
    const kind = kindOf(stat);
    const entry = { ...describe(path, kind, stat), ...attributesOf(level.fd, name) };
    if (kind === 'symlink') {
      yield* this.#give({ ...entry, target: readlinkSync(below(level.fd, name), { encoding: 'buffer' }) });
    } else if (kind === 'block' || kind === 'character') {
      yield* this.#give({ ...entry, device: deviceOf(stat.rdev) });
    } else yield* this.#give(entry);
  }

  /** Of a file that was given by another name already: that name. */
  #firstName(path: Buffer, { nlink, dev, ino }: BigIntStats): Buffer | undefined {
    if (nlink < 2n) return undefined;
    const key = `${dev}:${ino}`;
    const first = this.#linked.get(key);
    if (first === undefined) this.#linked.set(key, path);
    return first;
  }
}

const HERE = Buffer.from('.');
const NO_PATH = Buffer.alloc(0);
const SLASH = Buffer.from('/');

/** A name in an open directory, for calls that take paths. The magic link is followed whatever is mounted where. */
function below(fd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
}

function describe(path: Buffer, kind: EntryKind, stat: BigIntStats) {
  return {
    path,
    kind,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: Number(stat.mtimeNs / NANOSECONDS) - (stat.mtimeNs % NANOSECONDS < 0n ? 1 : 0),
  };
}

const NANOSECONDS = 1_000_000_000n;

function attributesOf(fd: number, name: Buffer): Pick<TreeEntry, 'attributes'> {
  const attributes = listXattrs(below(fd, name));
  return attributes === undefined ? {} : { attributes };
}

function emptyDirectory(path: Buffer): TreeEntry {
  return { path, kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0 };
}

function hardLink(path: Buffer, target: Buffer, stat: BigIntStats): TreeEntry {
  return { ...describe(path, 'hardlink', stat), target };
}

function kindOf(stat: BigIntStats): EntryKind {
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isBlockDevice()) return 'block';
  if (stat.isCharacterDevice()) return 'character';
  return stat.isFIFO() ? 'fifo' : 'socket';
}

/** As glibc's makedev(3) puts them together. */
function deviceOf(rdev: bigint): { major: number; minor: number } {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n);
  return { major: Number(major), minor: Number(minor) };
}

function openReading(path: Buffer): { reading: FileReading; stat: BigIntStats } {
  const fd = openSync(path, SAFE);
  let isTaken = false;
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile()) throw new SyscallError('open', String(path), ENOENT); // something else took its name
    const reading = new FileReading(fd, stat);
    isTaken = true;
    return { reading, stat };
  } finally {
    if (!isTaken) closeSync(fd);
  }
}

const ENOENT = 2;
/** The name is gone, or is by now that of another kind of file. */
const GONE = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'];
/** These say something of this process, not of the file. */
const OF_PROCESS = ['EMFILE', 'ENFILE', 'ENOMEM'];

function isOfThisFile(error: unknown): error is Error {
  if (!(error instanceof Error) || hasCode(error, ...OF_PROCESS)) return false;
  return /^E[A-Z0-9]+$/.test(String((error as NodeJS.ErrnoException).code));
}

function reasonOf(error: Error): string {
  const { errno } = error as NodeJS.ErrnoException;
  return errno === undefined ? describeError(error) : errorText(Math.abs(errno));
}
