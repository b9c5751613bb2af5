/**
 * What VIVER itself writes into the root of a machine: noted when it boots, so that a new image of the running system
 * (`viver image commit`) has what the image had at these places, unless somebody has changed them since.
 */
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sha256 } from '../linux/sha256.ts';

/** On the running system, for root. */
export const WRITTEN_FILE = 'written.json';

/** Paths below the root, absolute, as they were left: `file 644 SHA256`, `link TARGET`, `directory`, `other`, `none`. */
export type Written = ReadonlyMap<string, string>;

/** What is at a path, in the words of `Written`. Links are not followed. */
export function stateAt(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 'none';
  if (stat.isSymbolicLink()) return `link ${readlinkSync(path)}`;
  if (stat.isDirectory()) return 'directory';
  if (!stat.isFile()) return 'other';
  return `file ${(stat.mode & 0o7777).toString(8)} ${sha256(readFileSync(path)).toString('hex')}`;
}

/**
 * Makes the directories of a path below a root that are not there yet.
 * @returns these, absolute below the root
 */
export function makeDirectories(root: string, path: string): string[] {
  const first = mkdirSync(join(root, path), { recursive: true, mode: 0o755 });
  if (first === undefined) return [];
  const made: string[] = [];
  for (let at = join(root, path); at.length >= first.length; at = dirname(at)) made.push(at.slice(root.length));
  return made;
}

/** How the paths are now, with what earlier boots of the same upper layer noted. */
export function noteWritten(root: string, paths: Iterable<string>, earlier: Written = new Map()): Written {
  const now = [...paths].map((path): [string, string] => [path, stateAt(join(root, path))]);
  return new Map([...earlier, ...now].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** @throws the system's error when it cannot be written */
export function saveWritten(file: string, written: Written): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(Object.fromEntries(written))}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/**
 * What was noted; undefined when there is no such file.
 * @throws Error when the file is another thing
 */
export function loadWritten(file: string): Written | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('no object');
    const rows = Object.entries(value).map(([path, state]): [string, string] => {
      if (!path.startsWith('/') || typeof state !== 'string') throw new Error(`no row: ${JSON.stringify(path)}`);
      return [path, state];
    });
    return new Map(rows);
  } catch (cause) {
    throw new Error(`${file} is no list of what VIVER wrote`, { cause });
  }
}
