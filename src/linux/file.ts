/**
 * The few operations on files that the boot needs beside its event loop, by node:fs's calls with a callback: to load
 * node:fs/promises, and the streams it is made of, takes a slow machine as long as to mount its root.
 */
import { close, open, read, readdir, readFile, type Stats, stat } from 'node:fs';

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

export const fileStat = (path: string): Promise<Stats> => promised((done) => stat(path, done));

/** All of a file; look at its size first. */
export const fileBytes = (path: string): Promise<Buffer> => promised((done) => readFile(path, done));
