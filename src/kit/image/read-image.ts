import { once } from 'node:events';
import { printable as printableText } from '../../codec/printable.ts';
import type { TreeEntry } from '../../squashfs/entry.ts';
import { extractEntries } from '../../squashfs/extract.ts';
import { selectEntries } from '../../squashfs/selection.ts';
import { SquashfsImage } from '../../squashfs/squashfs-image.ts';
import { withProgress } from '../progress.ts';

const PIECE = 1024 * 1024;
/** Lines put together before they are written. */
const LINES = 500;
const TYPES = {
  directory: 'd',
  file: '-',
  hardlink: 'h',
  symlink: 'l',
  block: 'b',
  character: 'c',
  fifo: 'p',
  socket: 's',
};

/** `viver image ls`: a line for each entry at and below the paths. */
export async function listImage(
  name: string,
  paths: readonly string[],
  json: boolean,
  signal: AbortSignal,
): Promise<void> {
  using image = new SquashfsImage(name);
  const line = json ? jsonLine : longLine;
  let lines: string[] = [];
  for (const entry of selectEntries(image, paths.map(bytesOf), missingIn(name))) {
    if (paths.length > 0 && isOnlyOnTheWay(entry, paths)) continue;
    lines.push(line(entry));
    if (lines.length < LINES) continue;
    await write(lines.join(''));
    lines = [];
    signal.throwIfAborted();
  }
  await write(lines.join(''));
}

/** `viver image cat`: the bytes of files, one after another. */
export async function catImage(name: string, paths: readonly string[], signal: AbortSignal): Promise<void> {
  using image = new SquashfsImage(name);
  const missing = missingIn(name);
  const found = paths.map((path) => {
    const entry = image.find(bytesOf(path)) ?? missing(bytesOf(path));
    if (entry.open === undefined) throw new Error(`${name}: ${printableText(path)} is a ${entry.kind}, not a file`);
    return { ...entry, open: entry.open };
  });
  for (const { open } of found) {
    const content = await open();
    for (let offset = 0; offset < content.size; ) {
      const bytes = Buffer.alloc(Math.min(PIECE, content.size - offset));
      const got = await content.read(bytes, offset);
      if (got === 0) break;
      offset += got;
      await write(bytes.subarray(0, got));
      signal.throwIfAborted();
    }
    await content.close();
  }
}

/** `viver image extract`: files of entries at and below the paths. */
export async function extractImage(
  name: string,
  paths: readonly string[],
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  using image = new SquashfsImage(name);
  const entries = selectEntries(image, paths.map(bytesOf), missingIn(name));
  const { left } = await withProgress('extract', (onProgress) =>
    extractEntries(entries, directory, { signal, onProgress }),
  );
  for (const [what, count] of left) {
    process.stderr.write(`viver image: ${count} ${printableText(what)} left out: only root can keep them\n`);
  }
}

/** `/etc//passwd` and `etc/passwd/` are `etc/passwd`. Arguments that are no UTF-8 Node has changed already. */
function bytesOf(path: string): Buffer {
  return Buffer.from(
    path
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .join('/'),
  );
}

function missingIn(name: string): (path: Buffer) => never {
  return (path) => {
    throw new Error(`${name}: there is no ${printableText(path.toString())} in it (links are not followed)`);
  };
}

/** Directories that only lead to what was asked for. */
function isOnlyOnTheWay(entry: TreeEntry, paths: readonly string[]): boolean {
  const path = entry.path;
  return !paths.map(bytesOf).some((asked) => {
    if (asked.length === 0 || path.equals(asked)) return true;
    return path.subarray(0, asked.length + 1).equals(Buffer.concat([asked, Buffer.from('/')]));
  });
}

/** As `ls -l` has it: `-rwxr-xr-x 0/0 1234 2026-11-27 10:00 usr/bin/x`. */
function longLine(entry: TreeEntry): string {
  const { kind, mode, uid, gid, mtime, size, device, target, path } = entry;
  const bytes = device === undefined ? String(size ?? 0) : `${device.major},${device.minor}`;
  const time = new Date(mtime * 1000).toISOString().slice(0, 16).replace('T', ' ');
  const name = path.length === 0 ? '/' : printableText(path.toString());
  const arrow = target === undefined ? '' : kind === 'hardlink' ? ' link to ' : ' -> ';
  const text = target === undefined ? '' : printableText(target.toString());
  return `${TYPES[kind]}${permissions(mode)} ${uid}/${gid} ${bytes} ${time} ${name}${arrow}${text}\n`;
}

function permissions(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, i) => ((mode & (0o400 >> i)) === 0 ? '-' : letter));
  const special: readonly (readonly [bit: number, at: number, letter: string])[] = [
    [0o4000, 2, 's'],
    [0o2000, 5, 's'],
    [0o1000, 8, 't'],
  ];
  for (const [bit, at, letter] of special) {
    if ((mode & bit) !== 0) letters[at] = letters[at] === 'x' ? letter : letter.toUpperCase();
  }
  return letters.join('');
}

/** Names in base64 as well when they are no UTF-8. */
function jsonLine(entry: TreeEntry): string {
  const { kind, mode, uid, gid, mtime, size, device, target, path, attributes } = entry;
  return `${JSON.stringify({
    ...textOrBytes('path', path),
    kind,
    mode: mode.toString(8).padStart(4, '0'),
    uid,
    gid,
    mtime,
    ...(size !== undefined && { size }),
    ...(device !== undefined && { device }),
    ...(target !== undefined && textOrBytes('target', target)),
    ...(attributes !== undefined && {
      attributes: Object.fromEntries([...attributes].map(([name, value]) => [name, value.toString('base64')])),
    }),
  })}\n`;
}

/** Text as it is, and in base64 as well when it is no UTF-8. */
export function textOrBytes(key: string, bytes: Buffer): Record<string, string> {
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes)
    ? { [key]: text }
    : { [key]: text, [`${key}Base64`]: bytes.toString('base64') };
}

async function write(part: string | Buffer): Promise<void> {
  if (part.length > 0 && !process.stdout.write(part)) await once(process.stdout, 'drain');
}
