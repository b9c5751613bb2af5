import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bindMount, umount } from '../../linux/mount.ts';
import { resolveBelow } from '../../root/resolve-below.ts';
import { type RootReader, rootReader } from '../../root/root-reader.ts';

/** Whether image and kernel go together: the image's udev drives nothing with modules of another kernel. */
export interface ImageModules {
  readonly running: string;
  readonly fits: boolean;
  /** The kernels that the image has modules for. */
  readonly have: readonly string[];
}

/** Without one of depmod's tables a directory is of no use to modprobe: one that holds headers only, for instance. */
const TABLES = ['modules.dep.bin', 'modules.dep'];

/** What finding them needs of the image; a test gives its own. */
export interface ModulesReader extends RootReader {
  list(path: string): readonly string[];
}

const realReader: ModulesReader = {
  ...rootReader,
  list: (path) => {
    try {
      return readdirSync(path);
    } catch {
      return []; // no such directory: nothing in it
    }
  },
};

export function runningKernel(): string {
  return readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
}

/** What the image below `root` has for the kernel that runs; links are followed as the image would see them. */
export function findImageModules(root: string, running: string, reader: ModulesReader = realReader): ImageModules {
  const hasTable = (version: string) =>
    TABLES.some((table) => resolveBelow(root, `/lib/modules/${version}/${table}`, reader) !== undefined);
  const directory = resolveBelow(root, '/lib/modules', reader);
  const names = directory === undefined ? [] : reader.list(join(root, directory));
  const have = names.filter(hasTable).sort();
  return { running, fits: have.includes(running), have };
}

/** The line on the console when they do not. */
export function explainUnfit({ running, have }: ImageModules, here: boolean): string {
  const others = have.length === 0 ? 'no modules at all' : `those of ${have.join(', ')} only`;
  const kept = here
    ? `the initrd's stay at /lib/modules/${running}, and what they do not drive is not driven`
    : 'nor has the initrd, so only what is built into the kernel is driven';
  const advice = have.length === 0 ? '' : "; the image's own kernel, from its /boot, would fit";
  return `the image has no modules for the running kernel ${running} (it has ${others}): ${kept}${advice}`;
}

/**
 * Shows the initramfs's modules where the image looks for its own: a bind mount, which the switch takes along.
 * @returns takes it back
 */
export function showModules(root: string, running: string): () => void {
  const parent = resolveBelow(root, '/lib/modules', rootReader);
  const library = resolveBelow(root, '/lib', rootReader) ?? '/lib';
  const target = join(root, parent ?? join(library, 'modules'), running);
  mkdirSync(target, { recursive: true, mode: 0o755 });
  bindMount(join('/lib/modules', running), target);
  return () => umount(target);
}
