import { chmodSync, existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KEPT_INITRAMFS } from '../root/switch.ts';
import { FIELD_KEY, RUN_DIRECTORY } from './places.ts';

/** How a program is started. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/**
 * A program of the initramfs, with the initramfs's own loader and libraries: the image may have another libc, or not
 * have the program. Where no initramfs was kept (a test, the initramfs itself) it is the program of that path.
 * @throws Error when the initramfs has none
 */
export function keptProgram(path: string, root: string = KEPT_INITRAMFS): Program {
  return existsSync(join(root, 'init')) ? programBelow(path, root) : { command: path, args: [] };
}

/**
 * A program of a tree that has all it needs, with that tree's own loader and libraries.
 * @throws Error when the tree has no such program, or no loader
 */
export function programBelow(path: string, root: string): Program {
  const program = join(root, path);
  if (!existsSync(program)) throw new Error(`${program}: there is no such program`);
  const [loader] = globSync(['lib64/ld-linux-*.so.*', 'lib/ld-linux-*.so.*'], { cwd: root });
  if (loader === undefined) throw new Error(`${root}: no loader in it`);
  const libraries = ['lib', ...globSync(['lib/*-linux-gnu', 'usr/lib/*-linux-gnu'], { cwd: root })];
  const libraryPath = libraries.map((directory) => join(root, directory)).join(':');
  return { command: join(root, loader), args: ['--library-path', libraryPath, program] };
}

/** A file of the initramfs; where none was kept, the file of that path. */
export function keptFile(path: string, root: string = KEPT_INITRAMFS): string {
  return existsSync(join(root, 'init')) ? join(root, path) : path;
}

/** For `viver field up`: the key of this machine's field, when it has one. */
export function fieldKeyWords(root: string = KEPT_INITRAMFS): readonly string[] {
  const path = keptFile(FIELD_KEY, root);
  return existsSync(path) ? ['--key', path] : [];
}

/** BusyBox is linked statically: it needs no loader. */
export function keptBusybox(): string {
  return keptFile('/bin/busybox');
}

/**
 * The DHCP client's hook for a client that is started after the switch: the initramfs's own begins with a path of the
 * initramfs, and uses BusyBox' programs, which the image may lack.
 */
export function keptDhcpHook(directory = RUN_DIRECTORY): string {
  const busybox = keptBusybox();
  const text = readFileSync(keptFile('/bin/dhcp-hook'), 'utf8').replace(/^#!.*\n/, '');
  const path = `${directory}/dhcp-hook`;
  writeFileSync(path, `#!${busybox} sh\nPATH=${dirname(busybox)}:$PATH\n${text}`);
  chmodSync(path, 0o755);
  return path;
}
