import { printable } from '../../codec/printable.ts';

/** What a source tells beside its entries: what it left out, and what it could not give as it was. Paths as the source has them. */
export interface SourceReport {
  /** Left out, and why: other file systems, snapshots, the image itself. */
  readonly leftOut: NamedReason[];
  /** Changed by every reading; what was read last is in the image. */
  readonly changed: string[];
  /** Gone between the directory's listing and the file's reading. */
  readonly vanished: string[];
  /** By what the rule says why: how many files and directories it took away, emptied or shortened. */
  readonly excluded: Map<string, number>;
}

export interface NamedReason {
  readonly path: string;
  readonly why: string;
}

export function emptyReport(): SourceReport {
  return {
    leftOut: [],
    changed: [],
    vanished: [],
    excluded: new Map(),
  };
}

export function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Bytes of any encoding as a person reads them, on one line. */
export function readable(path: Uint8Array): string {
  return printable(Buffer.from(path).toString());
}

/** More than a screen of names says no more than how many there are. */
const MOST_NAMED = 1000;

/** Files that are in the source and cannot be read: the image would lack them, so there is none. */
export class UnreadableFiles extends Error {
  override readonly name = 'UnreadableFiles';
  readonly files: readonly NamedReason[];

  constructor(source: string, files: readonly NamedReason[]) {
    const [first] = files;
    const what = files.length === 1 ? `${first?.path} (${first?.why})` : `${files.length} files, listed above,`;
    super(`${source}: ${what} cannot be read, so no image is made; leave out by --exclude, or run as who may read`);
    this.files = files;
  }

  /** A line for each. */
  list(): string[] {
    const rows = this.files.slice(0, MOST_NAMED).map(({ path, why }) => `cannot read ${path}: ${why}`);
    const more = this.files.length - rows.length;
    return more > 0 ? [...rows, `… and ${more} more`] : rows;
  }
}
