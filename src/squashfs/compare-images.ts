import type { FileContent } from './entry.ts';
import type { ImageEntry, SquashfsImage } from './squashfs-image.ts';

/** What of an entry is another, in the order in which it is told. */
export type Aspect = 'kind' | 'content' | 'target' | 'device' | 'mode' | 'owner' | 'time' | 'attributes';

export type Difference =
  | { readonly change: 'added'; readonly path: Buffer; readonly after: ImageEntry }
  | { readonly change: 'removed'; readonly path: Buffer; readonly before: ImageEntry }
  | {
      readonly change: 'changed';
      readonly path: Buffer;
      readonly before: ImageEntry;
      readonly after: ImageEntry;
      readonly what: readonly Aspect[];
    };

const PIECE_BYTES = 1024 * 1024;

/**
 * What differs between two images, in the order of a walk. Files are compared byte for byte. A directory of which only
 * the time differs is not told: what was put into it or taken out is. Memory does not grow with the images.
 * @param onCompared bytes of files that were compared
 * @throws Error when one of the images is corrupt
 */
export async function* compareImages(
  before: SquashfsImage,
  after: SquashfsImage,
  { signal, onCompared = () => {} }: { readonly signal: AbortSignal; readonly onCompared?: (bytes: number) => void },
): AsyncGenerator<Difference, void, undefined> {
  const [left, right] = [before.walk(), after.walk()];
  const files = new FileComparison(onCompared, signal);
  try {
    let [a, b] = [left.next().value, right.next().value];
    while (a !== undefined || b !== undefined) {
      signal.throwIfAborted();
      const order = a === undefined ? 1 : b === undefined ? -1 : walkOrder(a.path, b.path);
      if (order < 0 && a !== undefined) {
        yield { change: 'removed', path: a.path, before: a };
        a = left.next().value;
      } else if (order > 0 && b !== undefined) {
        yield { change: 'added', path: b.path, after: b };
        b = right.next().value;
      } else if (a !== undefined && b !== undefined) {
        const what = await aspects(a, b, files);
        const isQuiet = what.length === 1 && what[0] === 'time' && b.inode.kind === 'directory';
        if (what.length > 0 && !isQuiet) yield { change: 'changed', path: b.path, before: a, after: b, what };
        [a, b] = [left.next().value, right.next().value];
      }
    }
  } finally {
    left.return(undefined);
    right.return(undefined);
  }
}

/** Each directory comes right before what lies in it: a slash is below every byte of a name, which has no NUL. */
function walkOrder(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [left = 0, right = 0] = [a[i], b[i]];
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

const SLASH = 0x2f;
const rank = (byte: number): number => (byte === SLASH ? 0 : byte);

async function aspects(a: ImageEntry, b: ImageEntry, files: FileComparison): Promise<Aspect[]> {
  // A further name of a file counts as the file: which of its names comes first says nothing.
  if (a.inode.kind !== b.inode.kind) return ['kind'];
  const what: Aspect[] = [];
  if (a.inode.kind === 'file' && !(await files.isSame(a, b))) what.push('content');
  if (!isSameBuffer(a.inode.target, b.inode.target)) what.push('target');
  if (a.device?.major !== b.device?.major || a.device?.minor !== b.device?.minor) what.push('device');
  if (a.mode !== b.mode) what.push('mode');
  if (a.uid !== b.uid || a.gid !== b.gid) what.push('owner');
  if (a.mtime !== b.mtime) what.push('time');
  if (!isSameAttributes(a.attributes, b.attributes)) what.push('attributes');
  return what;
}

const isSameBuffer = (a: Buffer | undefined, b: Buffer | undefined): boolean =>
  a === undefined || b === undefined ? a === b : a.equals(b);

function isSameAttributes(a: ImageEntry['attributes'] = new Map(), b: ImageEntry['attributes'] = new Map()): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name)?.equals(value) === true);
}

class FileComparison {
  readonly #onCompared: (bytes: number) => void;
  readonly #signal: AbortSignal;
  readonly #pieces = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)] as const;
  /** Of files with several names, by both inodes. */
  readonly #known = new Map<string, boolean>();
  #done = 0;

  constructor(onCompared: (bytes: number) => void, signal: AbortSignal) {
    this.#onCompared = onCompared;
    this.#signal = signal;
  }

  async isSame(a: ImageEntry, b: ImageEntry): Promise<boolean> {
    if (a.size !== b.size) return false;
    if (a.inode.links === 1 && b.inode.links === 1) return await this.#compare(a, b);
    const key = `${a.inode.number} ${b.inode.number}`;
    const known = this.#known.get(key) ?? (await this.#compare(a, b));
    this.#known.set(key, known);
    return known;
  }

  async #compare(a: ImageEntry, b: ImageEntry): Promise<boolean> {
    const [left, right] = [await a.open?.(), await b.open?.()];
    if (left === undefined || right === undefined) return left === right;
    const { size } = left;
    for (let offset = 0; offset < size; ) {
      this.#signal.throwIfAborted();
      const both = await Promise.all([left.nextData?.(offset) ?? offset, right.nextData?.(offset) ?? offset]);
      // Of holes in both there is nothing to read: what a forged image claims takes no time.
      offset = Math.min(...both);
      if (offset >= size) break;
      const length = Math.min(PIECE_BYTES, size - offset);
      const [one, other] = this.#pieces.map((piece) => piece.subarray(0, length)) as [Buffer, Buffer];
      await Promise.all([fill(left, one, offset), fill(right, other, offset)]);
      if (!one.equals(other)) return false;
      offset += length;
      this.#done += length;
      this.#onCompared(this.#done);
    }
    return true;
  }
}

async function fill(content: FileContent, into: Buffer, offset: number): Promise<void> {
  for (let at = 0; at < into.length; ) {
    const got = await content.read(into.subarray(at), offset + at);
    if (got === 0) return void into.fill(0, at);
    at += got;
  }
}
