import { createHash, type Hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { printable } from '../../codec/printable.ts';
import type { FileContent, TreeEntry } from '../../squashfs/entry.ts';
import type { PackageRecords } from './bases/installed-package.ts';
import { BASE_BYTES_LIMIT, PACKAGE_BASES, parseBases } from './bases/package-bases.ts';
import { RPM_BYTES_LIMIT, RPM_JOURNALS, RPM_PLACES, readRpmDatabase, UNWRITTEN } from './bases/rpm-database.ts';
import { distributionOf } from './distribution.ts';
import { type FileSums, type PartsSource, withLinkedCopyrights } from './parts-document.ts';
import {
  BOOT_FILE_BYTES_LIMIT,
  BOOT_FILES,
  COPYRIGHT_BYTES_LIMIT,
  DOCUMENTATION,
  OS_RELEASE_BYTES_LIMIT,
  OS_RELEASES,
} from './places.ts';

/** All copyright files together, on disk: a desktop of 2,000 packages has 40 MB. */
const SPOOL_BYTES_LIMIT = 512 << 20;

/** Begins as the path of anything that is kept: one look for the many that are not. */
const MAYBE =
  /^(?:boot\/|var\/lib\/(?:dpkg|pacman|rpm)\/|usr\/lib\/sysimage\/rpm\/|(?:usr\/)?lib\/apk\/|usr\/share\/doc\/|(?:etc|usr\/lib)\/os-release$)/;
const COPYRIGHT = RegExp(`^${DOCUMENTATION}/([^/]+)/copyright$`);
const DOCUMENTED = RegExp(`^${DOCUMENTATION}/([^/]+)$`);
/** Kernels and initrds, under whatever names: a file may get another one later. */
const BOOT = /^boot\/(?:viver-net\/)?[^/]+$/;
const BASE_FILES: ReadonlySet<string> = new Set(
  PACKAGE_BASES.flatMap(({ places }) => places.flatMap(({ path, kind }) => (kind === 'file' ? [path] : []))),
);

/** What becomes of a file's bytes while they are read. */
interface Sink {
  /** Of more bytes nothing is kept. */
  readonly limit: number;
  take(bytes: Uint8Array): void;
  end(): void;
}

/**
 * Keeps what a list of packages is made of while a tree's entries go by once: data bases and sums in memory, copyright files
 * in a file. Whatever is wrong with them is said when the list is made, and never by the entries.
 */
export class KeptParts {
  readonly #directory: string;
  readonly #spool: number;
  #spoolEnd = 0;
  #failure: Error | undefined;
  readonly #bases = new Map<string, { readonly bytes: Buffer; readonly mtime: number }>();
  #baseBytes = 0;
  /** Of rpm, by their paths: files beside the spool. */
  readonly #rpm = new Map<string, { readonly file: string; readonly mtime: number }>();
  #unwritten = new Set<string>();
  /** Files of data bases that cannot be used, and why. */
  readonly #unusable = new Map<string, string>();
  readonly #releases = new Map<string, Buffer>();
  /** By their paths, where in the spool. */
  readonly #copyrights = new Map<string, { readonly at: number; readonly size: number }>();
  readonly #links = new Map<string, string>();
  readonly #sums = new Map<string, FileSums>();

  /** @param directory where files are made; they stay the caller's */
  constructor(directory: string) {
    this.#directory = directory;
    this.#spool = openSync(join(directory, 'copyrights'), 'w+', 0o600);
  }

  [Symbol.dispose](): void {
    closeSync(this.#spool);
  }

  /** The entry as it is, or one whose bytes are kept while they are read. The later one of two with a path counts. */
  pass(entry: TreeEntry): TreeEntry {
    const path = entry.path.toString('latin1');
    if (!MAYBE.test(path)) return entry;
    this.#forget(path);
    if (entry.kind === 'hardlink') this.#link(path, entry.target?.toString('latin1') ?? '');
    else if (entry.kind === 'symlink') this.#noteLink(path, entry.target?.toString('latin1') ?? '');
    const isBase = isBaseFile(path);
    if (entry.kind !== 'file') {
      if (BASE_FILES.has(path) && !this.#bases.has(path)) {
        this.#unusable.set(
          path,
          `is no file but a ${entry.kind === 'hardlink' ? 'link to one elsewhere' : entry.kind}`,
        );
      }
      return entry;
    }
    const sink = isBase ? this.#baseSink(path, entry.mtime) : this.#sinkOf(path, entry.mtime);
    const { open } = entry;
    if (sink === undefined || open === undefined) return entry;
    const watch = (content: FileContent): FileContent => {
      if (content.size <= sink.limit) return this.#watched(content, sink);
      if (isBase) this.#unusable.set(path, `has ${content.size} bytes: too many`);
      return content;
    };
    return {
      ...entry,
      open() {
        const opening = open.call(entry);
        return opening instanceof Promise ? opening.then(watch) : watch(opening);
      },
    };
  }

  /** Whether there is a data base at all. */
  get hasBase(): boolean {
    return this.#bases.size > 0 || this.#rpm.size > 0 || this.#unusable.size > 0;
  }

  /**
   * What a list says, and its time, that of the newest data base.
   * @throws Error when no list can be made of it
   */
  source(): Omit<PartsSource, 'copyright'> & {
    copyright(name: string): string | undefined;
    readonly seconds: number;
    readonly unreadable: number;
  } {
    if (this.#failure !== undefined) throw this.#failure;
    for (const [path, why] of this.#unusable) throw new Error(`/${printable(path)} ${why}`);
    const { packages, unreadable } = parseBases(this.#baseTexts(), this.#rpmBases());
    const release = OS_RELEASES.map((path) => this.#releases.get(path)).find((bytes) => bytes !== undefined);
    const found = new Map([...this.#copyrights].map(([path, place]) => [COPYRIGHT.exec(path)?.[1] ?? '', place]));
    const copyrights = withLinkedCopyrights(found, this.#links);
    return {
      packages,
      unreadable,
      distribution: release === undefined ? undefined : distributionOf(release.toString()),
      files: BOOT_FILES.flatMap((path) => this.#sums.get(path) ?? []),
      seconds: [...this.#bases.values(), ...this.#rpm.values()].reduce(
        (newest, { mtime }) => Math.max(newest, Math.floor(mtime)),
        0,
      ),
      copyright: (name) => {
        const place = copyrights.get(Buffer.from(name).toString('latin1'));
        return place === undefined ? undefined : this.#spooled(place);
      },
    };
  }

  *#baseTexts(): Generator<[path: string, text: string], void, void> {
    for (const [path, { bytes }] of this.#bases) yield [path, bytes.toString()];
  }

  *#rpmBases(): Generator<[path: string, read: () => PackageRecords], void, void> {
    for (const path of RPM_PLACES) {
      const kept = this.#rpm.get(path);
      if (kept === undefined) continue;
      const isUnwritten = this.#unwritten.has(`${path}-wal`);
      yield [path, () => (isUnwritten ? refuse(UNWRITTEN) : readRpmFile(kept.file))];
    }
  }

  #forget(path: string): void {
    this.#rpm.delete(path);
    this.#unwritten.delete(path);
    this.#baseBytes -= this.#bases.get(path)?.bytes.length ?? 0;
    this.#bases.delete(path);
    this.#unusable.delete(path);
    this.#releases.delete(path);
    this.#copyrights.delete(path);
    this.#sums.delete(path);
    const [, name] = DOCUMENTED.exec(path) ?? [];
    if (name !== undefined) this.#links.delete(name);
  }

  /** Another name of a file that went by. */
  #link(path: string, target: string): void {
    const base = this.#bases.get(target);
    if (base !== undefined && isBaseFile(path)) this.#bases.set(path, base);
    const release = this.#releases.get(target);
    if (release !== undefined) this.#releases.set(path, release);
    const copyright = this.#copyrights.get(target);
    if (copyright !== undefined && COPYRIGHT.test(path)) this.#copyrights.set(path, copyright);
    const sums = this.#sums.get(target);
    if (sums !== undefined && BOOT.test(path)) this.#sums.set(path, { ...sums, path });
  }

  #noteLink(path: string, target: string): void {
    const [, name] = DOCUMENTED.exec(path) ?? [];
    if (name !== undefined) this.#links.set(name, target);
  }

  #sinkOf(path: string, mtime: number): Sink | undefined {
    if (BOOT.test(path)) return this.#sumSink(path);
    if (COPYRIGHT.test(path)) return this.#copyrightSink(path);
    if ((RPM_PLACES as readonly string[]).includes(path)) return this.#rpmSink(path, mtime);
    if (RPM_JOURNALS.includes(path)) return this.#journalSink(path);
    return (OS_RELEASES as readonly string[]).includes(path) ? this.#releaseSink(path) : undefined;
  }

  #baseSink(path: string, mtime: number): Sink {
    const pieces: Buffer[] = [];
    return {
      limit: BASE_BYTES_LIMIT - this.#baseBytes,
      take: (bytes) => pieces.push(Buffer.from(bytes)),
      end: () => {
        const bytes = Buffer.concat(pieces);
        this.#baseBytes += bytes.length;
        this.#bases.set(path, { bytes, mtime });
      },
    };
  }

  #releaseSink(path: string): Sink {
    const pieces: Buffer[] = [];
    return {
      limit: OS_RELEASE_BYTES_LIMIT,
      take: (bytes) => pieces.push(Buffer.from(bytes)),
      end: () => void this.#releases.set(path, Buffer.concat(pieces)),
    };
  }

  #copyrightSink(path: string): Sink {
    const at = this.#spoolEnd;
    return {
      limit: COPYRIGHT_BYTES_LIMIT,
      take: (bytes) => {
        if (this.#spoolEnd + bytes.length > SPOOL_BYTES_LIMIT)
          throw new Error(`its copyright files have more than ${SPOOL_BYTES_LIMIT} bytes`);
        for (let done = 0; done < bytes.length; )
          done += writeSync(this.#spool, bytes, done, bytes.length - done, this.#spoolEnd + done);
        this.#spoolEnd += bytes.length;
      },
      end: () => void this.#copyrights.set(path, { at, size: this.#spoolEnd - at }),
    };
  }

  #rpmSink(path: string, mtime: number): Sink {
    const file = join(this.#directory, `rpm-${(RPM_PLACES as readonly string[]).indexOf(path)}`);
    let fd: number | undefined;
    let done = 0;
    return {
      limit: RPM_BYTES_LIMIT,
      take(bytes) {
        fd ??= openSync(file, 'w', 0o600);
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, done + at);
        done += bytes.length;
      },
      end: () => {
        closeSync(fd ?? openSync(file, 'w', 0o600));
        this.#rpm.set(path, { file, mtime });
      },
    };
  }

  #journalSink(path: string): Sink {
    return {
      limit: Number.MAX_SAFE_INTEGER,
      take: () => void this.#unwritten.add(path),
      end() {},
    };
  }

  #sumSink(path: string): Sink {
    const [sha1, sha256]: readonly [Hash, Hash] = [createHash('sha1'), createHash('sha256')];
    return {
      limit: BOOT_FILE_BYTES_LIMIT,
      take(bytes) {
        sha1.update(bytes);
        sha256.update(bytes);
      },
      end: () => void this.#sums.set(path, { path, sha1: sha1.digest('hex'), sha256: sha256.digest('hex') }),
    };
  }

  /** Without the holes it knows of: they are zeroes to a sum. */
  #watched(content: FileContent, sink: Sink): FileContent {
    let done = 0;
    const taken = (into: Uint8Array, got: number): number => {
      this.#guarded(() => sink.take(into.subarray(0, got)));
      done += got;
      return got;
    };
    return {
      size: content.size,
      read(into, offset) {
        const got = content.read(into, offset);
        return typeof got === 'number' ? taken(into, got) : got.then((had) => taken(into, had));
      },
      close: () => {
        // What was not read to its end failed.
        if (done === content.size) this.#guarded(() => sink.end());
        return content.close();
      },
    };
  }

  /** The image must not fail by its list. */
  #guarded(work: () => void): void {
    if (this.#failure !== undefined) return;
    try {
      work();
    } catch (cause) {
      this.#failure = new Error('its parts cannot be kept for the list', { cause });
    }
  }

  #spooled({ at, size }: { readonly at: number; readonly size: number }): string {
    const bytes = Buffer.alloc(size);
    for (let done = 0; done < size; ) {
      const got = readSync(this.#spool, bytes, done, size - done, at + done);
      if (got === 0) break;
      done += got;
    }
    return bytes.toString();
  }
}

function refuse(why: string): never {
  throw new Error(why);
}

function readRpmFile(path: string): PackageRecords {
  const fd = openSync(path, 'r');
  try {
    return readRpmDatabase({
      size: fstatSync(fd).size,
      read(offset, length) {
        const bytes = Buffer.alloc(length);
        if (readSync(fd, bytes, 0, length, offset) !== length) throw new Error('it ends too soon');
        return bytes;
      },
    });
  } finally {
    closeSync(fd);
  }
}

const isBaseFile = (path: string): boolean => PACKAGE_BASES.some(({ files }) => files.test(path));
