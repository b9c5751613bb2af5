/**
 * The few operations on files that the boot needs beside its event loop, by node:fs's calls with a callback: to load
 * node:fs/promises, and the streams it is made of, takes a slow machine as long as to mount its root.
 */
import { close, constants, type Dirent, fstat, lstat, open, read, readdir, type Stats } from 'node:fs';

/** An open file; each call runs on Node's thread pool. */
export interface OpenFile extends AsyncDisposable {
  readonly fd: number;
  /** Reads up to `length` bytes at `position` of the file to `start` of `into`; resolves with how many, 0 at the end. */
  read(into: Uint8Array, start: number, length: number, position: number): Promise<number>;
  close(): Promise<void>;
}

type Callback<T> = (error: Error | null, value: T) => void;

function promised<T>(call: (callback: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error === null ? resolve(value) : reject(error)));
  });
}

/** @param flags O_RDONLY and others, of `constants` in node:fs */
export async function openFile(path: string, flags: number): Promise<OpenFile> {
  const fd = await promised<number>((done) => open(path, flags, done));
  const shut = () => promised<unknown>((done) => close(fd, (error) => done(error ?? null, undefined))).then(() => {});
  return {
    fd,
    read: (into, start, length, position) =>
      promised((done) => read(fd, into, start, length, position, (error, bytes) => done(error, bytes))),
    close: shut,
    [Symbol.asyncDispose]: shut,
  };
}

/** Names in a directory. */
export const listDirectory = (path: string): Promise<string[]> => promised((done) => readdir(path, done));

/** What is in a directory, with what each is. */
export const listEntries = (path: string): Promise<Dirent[]> =>
  promised((done) => readdir(path, { withFileTypes: true }, done));

/** Of a link itself, not of what it names. */
export const linkStat = (path: string): Promise<Stats> => promised((done) => lstat(path, done));

const statOf = (fd: number): Promise<Stats> => promised((done) => fstat(fd, done));

/** Not what it should be by its kind or size, whatever is in it. */
export class FileRefused extends Error {
  override readonly name = 'FileRefused';
}

/**
 * All of a small regular file. What is opened is what is looked at and read: no FIFO is waited for, no device is asked,
 * and no more is read than was there when it was opened.
 * @throws FileRefused when it is no regular file or has more than `limitBytes`, Error when it cannot be read
 */
export async function regularFileBytes(path: string, limitBytes: number): Promise<Buffer> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
  await using file = await openFile(path, flags).catch((cause: Error & { readonly code?: string }) => {
    // On a medium, which is mounted so that links lead nowhere.
    if (cause.code === 'ELOOP') throw new FileRefused('a link, which is not followed', { cause });
    throw cause;
  });
  const stat = await statOf(file.fd);
  if (!stat.isFile()) throw new FileRefused('no regular file');
  if (stat.size > limitBytes) throw new FileRefused(`${stat.size} bytes are too many`);
  const bytes = Buffer.alloc(stat.size);
  for (let filled = 0; filled < bytes.length; ) {
    const count = await file.read(bytes, filled, bytes.length - filled, filled);
    if (count === 0) throw new FileRefused(`ends at byte ${filled} of ${bytes.length}`);
    filled += count;
  }
  return bytes;
}
