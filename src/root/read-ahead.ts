import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Linked, readLinked } from './linked-files.ts';
import { resolveBelow } from './resolve-below.ts';
import { rootReader } from './root-reader.ts';

/** Where the dynamic loader looks by itself; others are in a program's own RUNPATH. */
const MULTIARCH = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as const;
const LIBRARIES = [
  ...(process.arch === 'x64' || process.arch === 'arm64'
    ? [`/lib/${MULTIARCH[process.arch]}`, `/usr/lib/${MULTIARCH[process.arch]}`]
    : []),
  ...['/lib64', '/usr/lib64', '/lib', '/usr/lib'],
];

/** Larger ones are seldom read whole by who starts. */
const MOST_FILE_BYTES = 8 << 20;
const MOST_BYTES = 24 << 20;

/** What finding and reading the files needs; a test gives its own. */
export interface StartFiles {
  /** The path below the root, its links followed as the image would; undefined: there is nothing. */
  resolve(path: string): string | undefined;
  sizeBytes(path: string): number;
  read(path: string): Promise<void>;
  linked(path: string): Linked | undefined;
}

/** @param read reads a file, off this thread, so that the kernel has it at hand */
export function startFilesBelow(root: string, read: (path: string) => Promise<void>): StartFiles {
  return {
    resolve: (path) => resolveBelow(root, path, rootReader),
    sizeBytes: (path) => statSync(join(root, path)).size,
    read: (path) => read(join(root, path)),
    linked: (path) => readLinked(join(root, path)),
  };
}

/**
 * Reads what a program is started from, its loader and its libraries, while other things are still to be done: the
 * image's init then finds them in memory. A program that is a script is read and no more.
 */
export async function readStartFiles(program: string, files: StartFiles): Promise<void> {
  const read = new Set<string>();
  const queue = [program];
  let budget = MOST_BYTES;
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    const found = files.resolve(path);
    if (found === undefined || read.has(found)) continue;
    read.add(found);
    const size = files.sizeBytes(found);
    if (size > MOST_FILE_BYTES || size > budget) continue;
    budget -= size;
    await files.read(found);
    const linked = files.linked(found);
    if (linked === undefined) continue;
    const own = linked.runpath.map((directory) => directory.replace(/\$\{?ORIGIN\}?/g, dirname(found)));
    for (const name of linked.needed) {
      const place = [...own, ...LIBRARIES]
        .map((directory) => join(directory, name))
        .find((each) => files.resolve(each));
      if (place !== undefined) queue.push(place);
    }
    if (linked.interpreter !== undefined) queue.unshift(linked.interpreter);
  }
}
