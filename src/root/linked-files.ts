import { closeSync, openSync, readSync } from 'node:fs';

/** What an ELF program or library is started with. Source: elf(5), ld.so(8). */
export interface Linked {
  readonly interpreter: string | undefined;
  /** Names without a path, as a rule. */
  readonly needed: readonly string[];
  /** Where its libraries are looked for first. */
  readonly runpath: readonly string[];
}

/** Reads `length` bytes at `offset`; fewer where the file ends. */
export type ReadAt = (offset: number, length: number) => Buffer;

const PT = { LOAD: 1, DYNAMIC: 2, INTERP: 3 };
const DT = { NEEDED: 1, STRTAB: 5, RPATH: 15, RUNPATH: 29 };
const PHDR = 56;
/** Of a path or a name in a string table. */
const MOST_NAME = 256;
/** More than any program has; a damaged header must not make us read all of a file. */
const MOST = { segments: 64, dynamicBytes: 64 * 1024, needed: 256 };

/** A 64-bit little-endian ELF file; undefined: it is none, or nothing that is linked. Never throws for any bytes. */
export function parseLinked(read: ReadAt): Linked | undefined {
  const header = read(0, 64);
  if (header.length < 64 || header.toString('latin1', 0, 4) !== '\x7fELF' || header[4] !== 2 || header[5] !== 1)
    return undefined;
  const count = Math.min(header.readUInt16LE(56), MOST.segments);
  const table = read(number(header, 32), count * PHDR);
  const segments = Array.from({ length: Math.floor(table.length / PHDR) }, (_, row) => {
    const at = row * PHDR;
    const [offset, address, size] = [8, 16, 32].map((field) => number(table, at + field));
    return { type: table.readUInt32LE(at), offset: offset ?? 0, address: address ?? 0, size: size ?? 0 };
  });
  const nameAt = (offset: number) => read(offset, MOST_NAME).toString('latin1').split('\0')[0] ?? '';
  const interpreter = segments.find(({ type }) => type === PT.INTERP);
  const dynamic = segments.find(({ type }) => type === PT.DYNAMIC);
  const rows = dynamicRows(read(dynamic?.offset ?? 0, Math.min(dynamic?.size ?? 0, MOST.dynamicBytes)));
  const strings = rows.find(({ tag }) => tag === DT.STRTAB)?.value ?? 0;
  const holder = segments.find(
    ({ type, address, size }) => type === PT.LOAD && strings >= address && strings < address + size,
  );
  const stringsAt = holder === undefined ? undefined : holder.offset + strings - holder.address;
  const names = (...tags: number[]) =>
    stringsAt === undefined
      ? []
      : rows.filter(({ tag }) => tags.includes(tag)).map(({ value }) => nameAt(stringsAt + value));
  return {
    interpreter: interpreter === undefined ? undefined : nameAt(interpreter.offset),
    needed: names(DT.NEEDED).slice(0, MOST.needed),
    runpath: names(DT.RPATH, DT.RUNPATH).flatMap((path) => path.split(':')),
  };
}

const number = (bytes: Buffer, at: number) => Number(bytes.readBigUInt64LE(at));

function dynamicRows(bytes: Buffer): { readonly tag: number; readonly value: number }[] {
  return Array.from({ length: Math.floor(bytes.length / 16) }, (_, row) => ({
    tag: number(bytes, row * 16),
    value: number(bytes, row * 16 + 8),
  }));
}

export function readLinked(path: string): Linked | undefined {
  const fd = openSync(path, 'r');
  try {
    return parseLinked((offset, length) => {
      if (!Number.isSafeInteger(offset + length) || length <= 0) return Buffer.alloc(0);
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(fd, bytes, 0, length, offset));
    });
  } finally {
    closeSync(fd);
  }
}
