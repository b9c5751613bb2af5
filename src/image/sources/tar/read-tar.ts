import type { TreeEntry } from '../../../squashfs/entry.ts';
import { readable } from '../report.ts';
import { ByteStream } from './byte-stream.ts';
import { treePath } from './entry-path.ts';
import { BLOCK, isZeroBlock, parseHeader, parseSparseBlock, type Span, type TarHeader, TYPE } from './header.ts';
import { MemberContent } from './member-content.ts';
import { type PaxRecords, parsePax, paxAttributes, paxCount, paxTime } from './pax.ts';
import { checkedMap, paxSparseMap, RepeatedSpans, readSparse1, type SparseMap, sizeOfSparse1 } from './sparse.ts';
import { TarError } from './tar-error.ts';

/** Of an extended header: attributes of a file are 64 KiB each, a map of many holes is longer than them. */
const LONGEST_EXTENSION = 16 * 1024 * 1024;
/** Of GNU's long names; PATH_MAX is 4096. */
const LONGEST_NAME = 64 * 1024;
/** User and group ids are 32 bits wide. */
const HIGHEST_ID = 2 ** 32 - 1;

/**
 * The entries of a tar, in its order: GNU's and POSIX's formats with their extensions. Memory does not grow with it.
 * Each entry's content must be read before the next is asked for. After the end mark the rest is read and left, so that
 * who writes to a pipe is not cut off.
 * @param name for messages
 * @throws TarError for what is no tar, is damaged, cut short, or leads out of its tree
 */
export async function* readTar(pieces: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<TreeEntry, void, void> {
  const stream = new ByteStream(pieces);
  const reader = new TarReader(stream, name);
  try {
    yield* reader.entries();
    await stream.skip(Number.MAX_SAFE_INTEGER);
  } catch (error) {
    if (!(error instanceof TarError)) throw error;
    throw new TarError(`${reader.where}: ${error.message}`, { cause: error.cause });
  } finally {
    await stream.close();
  }
}

/** What headers before a member's own say of it. */
interface Said {
  records: PaxRecords;
  spans: Span[] | undefined;
  longName: Buffer | undefined;
  longLink: Buffer | undefined;
}

const NOTHING_SAID: Said = { records: new Map(), spans: undefined, longName: undefined, longLink: undefined };

class TarReader {
  /** The member at hand, for messages. */
  #member: string | undefined;
  readonly #name: string;
  readonly #stream: ByteStream;
  readonly #block = Buffer.alloc(BLOCK);
  #global: PaxRecords = new Map();

  constructor(stream: ByteStream, name: string) {
    this.#stream = stream;
    this.#name = name;
  }

  get where(): string {
    return this.#member === undefined ? this.#name : `${this.#name}, ${this.#member}`;
  }

  async *entries(): AsyncGenerator<TreeEntry, void, void> {
    let said: Said = { ...NOTHING_SAID };
    for (;;) {
      const header = await this.#header();
      if (header === undefined) return;
      if (await this.#takeExtension(header, said)) continue;
      yield* this.#memberOf(header, said);
      said = { ...NOTHING_SAID };
      this.#member = undefined;
    }
  }

  /** Undefined at the end mark. */
  async #header(): Promise<TarHeader | undefined> {
    const at = this.#stream.position;
    const had = await this.#stream.read(this.#block);
    if (had === 0) throw new TarError(at === 0 ? 'it is empty, no tar' : 'it is cut short: no end mark');
    if (had < BLOCK) throw new TarError(at === 0 ? 'it is no tar' : 'it is cut short in a header');
    if (isZeroBlock(this.#block)) return undefined;
    const header = parseHeader(this.#block);
    if (header !== undefined) return header;
    throw new TarError(at === 0 ? 'it is no tar' : `it is damaged: no header at byte ${at}`);
  }

  /** Whether the header was one that speaks of the next. */
  async #takeExtension(header: TarHeader, said: Said): Promise<boolean> {
    switch (header.type) {
      case TYPE.pax:
      case TYPE.paxOfSolaris: {
        const repeated = new RepeatedSpans();
        said.records = parsePax(await this.#data(header.size, LONGEST_EXTENSION), repeated.take);
        said.spans = repeated.spans;
        return true;
      }
      case TYPE.paxGlobal: {
        const records = parsePax(await this.#data(header.size, LONGEST_EXTENSION));
        this.#global = merged(this.#global, records);
        return true;
      }
      case TYPE.gnuLongName:
        said.longName = withoutNul(await this.#data(header.size, LONGEST_NAME));
        return true;
      case TYPE.gnuLongLink:
        said.longLink = withoutNul(await this.#data(header.size, LONGEST_NAME));
        return true;
      case TYPE.gnuVolume:
        await this.#pass(header.size);
        return true;
      default:
        return false;
    }
  }

  async *#memberOf(header: TarHeader, said: Said): AsyncGenerator<TreeEntry, void, void> {
    const records = merged(this.#global, said.records);
    const bytes = (key: string): Buffer | undefined => nonEmpty(records.get(key));
    const name = bytes('GNU.sparse.name') ?? bytes('path') ?? said.longName ?? header.name;
    this.#member = readable(name).slice(0, 200);
    if (header.type === TYPE.gnuContinued) throw new TarError('a part of a tar of several volumes, which is not read');
    const entry = entryOf(header, records, treePath(name), bytes('linkpath') ?? said.longLink ?? header.linkName, name);
    const length = lengthOf(header, records);
    if (entry.kind !== 'file') {
      await this.#pass(hasData(header.type) ? length : 0);
      yield entry;
      return;
    }
    if (entry.path.length === 0) throw new TarError('a file without a name');
    const { map, data } = await this.#map(header, records, said, length);
    const content = new MemberContent(this.#stream, map, this.where);
    yield { ...entry, size: map.realSize, open: () => content };
    await this.#skip(data - content.taken);
    await this.#skip(padding(length));
  }

  /** Where the data of a file belongs, and how much of it there is after what was read for the map. */
  async #map(
    header: TarHeader,
    records: PaxRecords,
    said: Said,
    length: number,
  ): Promise<{ map: SparseMap; data: number }> {
    if (header.sparse !== undefined) {
      const { spans, realSize } = header.sparse;
      for (let more = header.sparse.continues; more; ) {
        await this.#readBlock();
        const block = parseSparseBlock(this.#block);
        for (const span of block.spans) spans.push(span);
        if (spans.length * BLOCK > LONGEST_EXTENSION) throw new TarError('the map of its holes is too long');
        more = block.continues;
      }
      return { map: checkedMap({ spans, realSize }, length), data: length };
    }
    const realSize = sizeOfSparse1(records);
    if (realSize === undefined) {
      const map = paxSparseMap(records, said.spans) ?? { realSize: length, spans: [{ start: 0, end: length }] };
      return { map: checkedMap(map, length), data: length };
    }
    const { spans, blocks } = await readSparse1(() => this.#readBlock());
    return { map: checkedMap({ spans, realSize }, length - blocks * BLOCK), data: length - blocks * BLOCK };
  }

  async #readBlock(): Promise<Uint8Array> {
    if ((await this.#stream.read(this.#block)) < BLOCK) throw new TarError('it is cut short: its data ends too early');
    return this.#block;
  }

  /** All data of an extension header; its length is believed only up to `longest`. */
  async #data(length: number, longest: number): Promise<Buffer> {
    if (!(length >= 0 && length <= longest))
      throw new TarError(`an extended header of ${length} bytes, ${longest} at most`);
    const data = Buffer.alloc(length);
    if ((await this.#stream.read(data)) < length) throw new TarError('it is cut short in an extended header');
    await this.#skip(padding(length));
    return data;
  }

  async #pass(length: number): Promise<void> {
    if (!Number.isSafeInteger(length) || length < 0) throw new TarError(`its size is ${length}`);
    await this.#skip(length);
    await this.#skip(padding(length));
  }

  async #skip(length: number): Promise<void> {
    if ((await this.#stream.skip(length)) < length) throw new TarError('it is cut short: its data ends too early');
  }
}

const padding = (length: number): number => (BLOCK - (length % BLOCK)) % BLOCK;
const nonEmpty = (bytes: Buffer | undefined): Buffer | undefined => (bytes?.length === 0 ? undefined : bytes);

function withoutNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** Later records count; an empty value takes an earlier one away. */
function merged(before: PaxRecords, after: PaxRecords): PaxRecords {
  if (before.size === 0 || after.size === 0) return before.size === 0 ? after : before;
  return new Map([...before, ...after]);
}

/** Types whose size is that of data which follows. Of links, directories and devices it means nothing. */
function hasData(type: string): boolean {
  const without: readonly string[] = [
    TYPE.hardLink,
    TYPE.symlink,
    TYPE.character,
    TYPE.block,
    TYPE.directory,
    TYPE.fifo,
  ];
  return !without.includes(type);
}

function lengthOf(header: TarHeader, records: PaxRecords): number {
  const length = paxCount(records, 'size') ?? header.size;
  if (!Number.isSafeInteger(length) || length < 0) throw new TarError(`its size is ${length}`);
  return length;
}

function idOf(value: number, what: string): number {
  // -2 is what some systems call nobody
  const id = value < 0 ? value + HIGHEST_ID + 1 : value;
  if (!Number.isInteger(id) || id < 0 || id > HIGHEST_ID)
    throw new TarError(`its ${what} ${value} is none that Linux has`);
  return id;
}

function entryOf(header: TarHeader, records: PaxRecords, path: Buffer, link: Buffer, name: Buffer): TreeEntry {
  const attributes = paxAttributes(records);
  const facts = {
    path,
    mode: header.mode,
    uid: idOf(paxCount(records, 'uid') ?? header.uid, 'user'),
    gid: idOf(paxCount(records, 'gid') ?? header.gid, 'group'),
    mtime: paxTime(records, 'mtime') ?? header.mtime,
    ...(attributes === undefined ? {} : { attributes }),
  };
  const device = { major: header.major, minor: header.minor };
  switch (header.type) {
    case TYPE.hardLink:
      return { ...facts, kind: 'hardlink', target: treePath(link, 'another name for one') };
    case TYPE.symlink:
      return { ...facts, kind: 'symlink', target: link };
    case TYPE.character:
    case TYPE.block:
      return { ...facts, kind: header.type === TYPE.block ? 'block' : 'character', device };
    case TYPE.directory:
    case TYPE.gnuDirectoryList:
      return { ...facts, kind: 'directory' };
    case TYPE.fifo:
      return { ...facts, kind: 'fifo' };
    default:
      // V7 knew a directory by its slash; types that are not known are files (POSIX).
      return { ...facts, kind: header.type === TYPE.oldFile && name.at(-1) === 0x2f ? 'directory' : 'file' };
  }
}
