import { closeSync, existsSync, fstatSync, openSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseKernel } from '../../image/sources/families/choose-kernel.ts';
import type { Family } from '../../image/sources/families/family.ts';
import { kernelImageVersion } from '../../image/sources/families/kernel-image.ts';
import { FileReading } from '../../image/sources/tree/file-reading.ts';
import type { TreeEntry } from '../../squashfs/entry.ts';
import { inTree } from '../initrd/find-modules.ts';
import { findKit } from '../initrd/kit-files.ts';
import { makeInitrd } from '../initrd/make-initrd.ts';
import { requireFolder } from '../output-file.ts';
import { sourceDate } from '../source-date.ts';
import { familyOfTree, findKernels, headOf } from './find-kernels.ts';
import { tapKernel } from './kernel-tap.ts';

/** What every machine serves to others that boot from it (docs/kit.md). */
const KERNEL = 'boot/vmlinuz';
const INITRD = 'boot/viverrd.zst';
/** What a machine with Secure Boot on loads before these: shim, GRUB for networks, the first stage. */
const NET = 'boot/viver-net';

export interface BootWishes {
  /** A version (uname -r), or a file (with a slash in its name); undefined: the newest of the tree. */
  readonly kernel: string | undefined;
  /** An initrd for that kernel; undefined: it is made. */
  readonly initrd: string | undefined;
}

export interface BootReport {
  readonly family: string;
  /** uname -r; undefined where the tree had both files already. */
  readonly kernel: string | undefined;
  /** For a person. */
  readonly why: string;
}

interface Context {
  /** How messages call the source. */
  readonly name: string;
  /** For files under way: on the disk that gets the image. */
  readonly work: string;
  readonly wishes: BootWishes;
  readonly signal: AbortSignal;
  readonly tell: (report: BootReport) => void;
  /** Modules done, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

type Entries = AsyncIterable<TreeEntry> | Iterable<TreeEntry>;

/** A directory for files under way, which goes in the end. */
export async function workDirectory(output: string): Promise<AsyncDisposable & { readonly path: string }> {
  requireFolder(output);
  // Named as files under way are: what a killed command left goes (output-file.ts).
  const path = await mkdtemp(`${output}.part-${process.pid}-`);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/**
 * Kernel and initrd, and the entries of a directory. What is wrong with the kernel is known before the first entry is
 * read; both come last, as a later entry takes the place of an earlier one.
 * @throws Error when there is no kernel, or not the one that was asked for
 */
export async function* withBootFilesOfTree(
  entries: Entries,
  tree: string,
  context: Context,
): AsyncGenerator<TreeEntry, void, void> {
  const family = familyOfTree(tree);
  const isDone = isComplete(context.wishes, (path) => inTree(tree, `/${path}`) !== undefined);
  if (isDone) tellComplete(family, context);
  const files = isDone ? [] : await bootFiles(tree, family, context);
  yield* entries;
  yield* files;
}

/** The same of a stream: what an initrd is made of is kept while it goes by. */
export async function* withBootFilesOfStream(
  entries: Entries,
  context: Context,
): AsyncGenerator<TreeEntry, void, void> {
  const seen = new Set<string>();
  const tree = join(context.work, 'tree');
  for await (const entry of tapKernel(entries, tree)) {
    if (entry.kind !== 'directory') seen.add(entry.path.toString('latin1'));
    yield entry;
  }
  const family = familyOfTree(tree);
  if (isComplete(context.wishes, (path) => seen.has(path))) return tellComplete(family, context);
  yield* await bootFiles(tree, family, context);
}

/** Who made the image boot others already knows better. */
function isComplete({ kernel, initrd }: BootWishes, has: (path: string) => boolean): boolean {
  return kernel === undefined && initrd === undefined && has(KERNEL) && has(INITRD);
}

function tellComplete({ name }: Family, { tell }: Context): void {
  tell({ family: name, kernel: undefined, why: `its own /${KERNEL} and /${INITRD}` });
}

async function bootFiles(tree: string, family: Family, context: Context): Promise<TreeEntry[]> {
  const { wishes, work, name, signal, tell, onProgress } = context;
  const { kernel, initrd } = wishes;
  const given = kernel?.includes('/') === true ? kernel : undefined;
  const version = given === undefined ? undefined : kernelImageVersion(headOf(given));
  if (given !== undefined && version === undefined)
    throw new Error(`${given} is no Linux kernel whose version can be read`);
  const chosen = given === undefined ? chooseKernel(findKernels(tree, family), name, kernel) : undefined;
  const release = chosen?.version ?? version ?? '';
  const file = given ?? inTree(tree, chosen?.path ?? '') ?? '';
  const how =
    given !== undefined ? `${given}, as asked` : kernel === undefined ? 'the newest with modules' : 'as asked';
  tell({ family: family.name, kernel: release, why: how });
  const output = initrd ?? join(work, 'viverrd.zst');
  const signed = initrd === undefined ? signedLoaders() : undefined;
  const firstStage = join(work, 'first-stage.zst');
  if (initrd === undefined) {
    const more = { ...(signed && { firstStage }), ...(onProgress && { onProgress }) };
    await makeInitrd({ tree, kernel: release, output, signal, ...more });
  }
  const net =
    signed === undefined
      ? []
      : [
          directoryEntry(NET),
          fileEntry(`${NET}/first-stage.zst`, firstStage),
          fileEntry(`${NET}/grubx64.efi`, signed.grub),
          fileEntry(`${NET}/shimx64.efi`, signed.shim),
        ];
  return [fileEntry(KERNEL, file), fileEntry(INITRD, output), ...net];
}

/** Debian's, as the kit has them; undefined where it lacks one, and machines with Secure Boot on go without. */
function signedLoaders(): { readonly shim: string; readonly grub: string } | undefined {
  const { loaders } = findKit();
  const [shim, grub] = [join(loaders, 'BOOTX64.EFI'), join(loaders, 'grubnetx64.efi')];
  return existsSync(shim) && existsSync(grub) ? { shim, grub } : undefined;
}

export const directoryEntry = (path: string, mtime = sourceDate() ?? 0): TreeEntry => {
  return { path: Buffer.from(path), kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime };
};

/** Whatever rights the file has here: who serves it must be able to read it. */
export function fileEntry(path: string, from: string, mtime = sourceDate() ?? 0): TreeEntry {
  return {
    path: Buffer.from(path),
    kind: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime,
    size: statSync(from).size,
    open() {
      const fd = openSync(from, 'r');
      try {
        return new FileReading(fd, fstatSync(fd, { bigint: true }));
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    },
  };
}
