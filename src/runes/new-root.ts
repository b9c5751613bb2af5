import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hasCode } from '../linux/errno.ts';
import type { InitSystem } from '../root/find-init.ts';
import { resolveBelow } from '../root/resolve-below.ts';
import { rootReader } from '../root/root-reader.ts';
import { makeDirectories } from '../root/written.ts';
import type { Machine } from './machine.ts';

/** The root the machine is about to switch to. What is written goes to the upper layer, never to the image. */
export interface NewRoot {
  readonly machine: Machine;
  readonly role: string;
  /** What will be its first program. */
  readonly init: InitSystem;
  /** Text of a file; undefined when there is none. A link counts as none: it may lead out of it. */
  read(path: string): string | undefined;
  has(path: string): boolean;
  /** Where a link leads, as it says itself; undefined when the path is no link. */
  linkTarget(path: string): string | undefined;
  /** What a directory holds, sorted; nothing when there is no such directory. */
  names(directory: string): readonly string[];
  /**
   * Whether a file or link is as the image has it. On a machine whose writes are kept it may be of an earlier boot: then
   * VIVER or a person has changed it since, and a person's word counts.
   */
  isOfImage(path: string): boolean;
  /**
   * Replaces what is there, a link too.
   * @throws Error for a path below /run/systemd/system when another init takes over: by that directory programs know systemd
   */
  write(path: string, text: string, mode?: number): void;
  /** @throws Error as `write` does */
  link(path: string, target: string): void;
  /** A file, a link, or a directory with all it holds; nothing there is fine. */
  remove(path: string): void;
  /** What was done and why, for boot.json. */
  readonly note: (what: string) => void;
}

export interface NewRootFacts {
  readonly machine: Machine;
  readonly role: string;
  readonly init: InitSystem;
  /** Where the image itself is mounted, without what is written above it. */
  readonly image: string;
  readonly note: (what: string) => void;
  /** Told of each path below the root that was written, made or removed. */
  readonly wrote?: (path: string) => void;
}

/** A file's bytes or a link's target; undefined for nothing and for whatever else there is. */
function contentOf(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink()) return `link ${readlinkSync(path)}`;
  return stat?.isFile() ? `file ${readFileSync(path, 'latin1')}` : undefined;
}

/** sd_booted(3): its being there means systemd, to init scripts, udev's rules and packages alike. */
const MEANS_SYSTEMD = /^\/run\/systemd\/system(\/|$)/;

export function openNewRoot(target: string, { image, wrote = () => {}, ...facts }: NewRootFacts): NewRoot {
  // Links among the directories are followed as the booted system will: `/var/service` may lead to /run, never out of it.
  // Plugins ask for hundreds of files in a dozen directories; a link that comes or goes may lead them elsewhere.
  const resolved = new Map<string, string>();
  const below = (directory: string): string => {
    if (directory === '/') return directory;
    const known = resolved.get(directory);
    if (known !== undefined) return known;
    const found = resolveBelow(target, directory, rootReader) ?? join(below(dirname(directory)), basename(directory));
    resolved.set(directory, found);
    return found;
  };
  // /run is not moved yet: what is written there goes to the file system that will be.
  const inRoot = (path: string) => (path.startsWith('/run/') ? path : join(below(dirname(path)), basename(path)));
  const isOutside = (at: string) => at.startsWith('/run/');
  const outside = (at: string) => (isOutside(at) ? at : join(target, at));
  const place = (path: string) => outside(inRoot(path));
  const isLink = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  /** What is there is about to be something else. */
  const forget = (at: string) => {
    if (isLink(outside(at))) resolved.clear();
    for (const [directory, found] of resolved) if (`${found}/`.startsWith(`${at}/`)) resolved.delete(directory);
  };
  const prepare = (path: string) => {
    if (facts.init !== 'systemd' && MEANS_SYSTEMD.test(path))
      throw new Error(`${path} is not written: it would make programs believe in systemd, and this is ${facts.init}`);
    const at = inRoot(path);
    forget(at);
    if (isOutside(at)) mkdirSync(dirname(at), { recursive: true, mode: 0o755 });
    else for (const made of makeDirectories(target, dirname(at))) wrote(made);
    rmSync(outside(at), { force: true });
    if (!isOutside(at)) wrote(at);
    return outside(at);
  };
  return {
    ...facts,
    read: (path) => {
      const at = place(path);
      return isLink(at) || !existsSync(at) ? undefined : readFileSync(at, 'utf8');
    },
    has: (path) => lstatSync(place(path), { throwIfNoEntry: false }) !== undefined,
    linkTarget: (path) => (isLink(place(path)) ? readlinkSync(place(path)) : undefined),
    names: (directory) => {
      try {
        return readdirSync(place(`${directory}/.`)).sort();
      } catch (error) {
        if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
        throw error;
      }
    },
    isOfImage: (path) => {
      const now = contentOf(place(path));
      return now !== undefined && now === contentOf(join(image, path));
    },
    write: (path, text, mode = 0o644) => {
      const at = prepare(path);
      writeFileSync(at, text);
      chmodSync(at, mode);
    },
    link: (path, to) => symlinkSync(to, prepare(path)),
    remove: (path) => {
      const at = inRoot(path);
      forget(at);
      rmSync(outside(at), { recursive: true, force: true });
      if (!isOutside(at)) wrote(at);
    },
  };
}
