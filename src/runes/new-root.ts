import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Machine } from './machine.ts';

/** The root the machine is about to switch to. What is written goes to the upper layer, never to the image. */
export interface NewRoot {
  readonly machine: Machine;
  readonly role: string;
  /** Text of a file; undefined when there is none. A link counts as none: it may lead out of it. */
  read(path: string): string | undefined;
  has(path: string): boolean;
  /** Replaces what is there, a link too. */
  write(path: string, text: string, mode?: number): void;
  link(path: string, target: string): void;
  /** What was done and why, for boot.json. */
  readonly note: (what: string) => void;
}

export function openNewRoot(
  target: string,
  of: { readonly machine: Machine; readonly role: string; readonly note: (what: string) => void },
): NewRoot {
  // /run is not moved yet: what is written there goes to the file system that will be.
  const place = (path: string) => (path.startsWith('/run/') ? path : join(target, path));
  const isLink = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  const prepare = (path: string) => {
    const at = place(path);
    mkdirSync(dirname(at), { recursive: true, mode: 0o755 });
    rmSync(at, { force: true });
    return at;
  };
  return {
    ...of,
    read: (path) => {
      const at = place(path);
      return isLink(at) || !existsSync(at) ? undefined : readFileSync(at, 'utf8');
    },
    has: (path) => lstatSync(place(path), { throwIfNoEntry: false }) !== undefined,
    write: (path, text, mode = 0o644) => {
      const at = prepare(path);
      writeFileSync(at, text);
      chmodSync(at, mode);
    },
    link: (path, to) => symlinkSync(to, prepare(path)),
  };
}
