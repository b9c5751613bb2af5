import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { openImage } from '../../image/image-file.ts';
import { attachLoop } from '../../linux/block/loop.ts';
import { hasCode } from '../../linux/errno.ts';
import { type MountEntry, MS, mount, readMounts, umount } from '../../linux/mount.ts';

const run = promisify(execFile);
/** What of an image acts nowhere but in a system that was booted from it: set-user-id files, devices. */
const FLAGS = MS.RDONLY | MS.NOSUID | MS.NODEV;
const FUSE_TYPES = ['fuse.squashfuse', 'fuse.squashfuse_ll', 'fuse'];

/** The user and the system's programs; a test gives others. */
export interface Person {
  readonly isRoot: boolean;
  /** The whole path of a program; undefined when it is not there. */
  readonly program: (name: string) => Promise<string | undefined>;
}

/**
 * `viver image mount`: shows what is in an image at a directory, read-only. Root by the kernel, others by squashfuse.
 * @throws Error saying what is missing, or what the kernel refuses
 */
export async function mountImage(image: string, directory: string, person: Person = thisPerson()): Promise<void> {
  // What is no image is told in our words; the kernel's are `wrong fs type, bad option, bad superblock`.
  await using _checked = await openImage(image);
  const [file, target] = [await realpath(image), await directoryAt(directory)];
  if (person.isRoot) return mountByKernel(file, target);
  const squashfuse = await person.program('squashfuse');
  if (squashfuse === undefined) {
    throw new Error(
      'mounting needs root, or the program squashfuse; viver image ls, cat and extract read an image without either',
    );
  }
  await done(squashfuse, [file, target]);
}

async function mountByKernel(file: string, target: string): Promise<void> {
  try {
    if ((await stat(file)).isBlockDevice()) return mount({ source: file, target, type: 'squashfs', flags: FLAGS });
    using loop = attachLoop({ file, readOnly: true, autoclear: true });
    mount({ source: loop.path, target, type: 'squashfs', flags: FLAGS });
  } catch (cause) {
    const hint = hasCode(cause, 'ENODEV')
      ? 'this kernel knows no squashfs (modprobe squashfs)'
      : 'viver image ls, cat and extract read it without mounting';
    throw new Error(`cannot mount ${file}: ${hint}`, { cause });
  }
}

/**
 * `viver image unmount`. What else is mounted there is left alone.
 * @throws Error when no image is mounted there, or it is in use
 */
export async function unmountImage(directory: string, person: Person = thisPerson()): Promise<void> {
  const target = await directoryAt(directory);
  const found = imageMount(readMounts(), target);
  try {
    if (person.isRoot) return umount(target);
    if (found.type === 'squashfs') throw new Error('root mounted it: only root can unmount it');
    const fusermount = (await person.program('fusermount3')) ?? (await person.program('fusermount'));
    if (fusermount === undefined) throw new Error('the program fusermount3 (of fuse3) is not there');
    await done(fusermount, ['-u', target]);
  } catch (cause) {
    if (!hasCode(cause, 'EBUSY')) throw new Error(`cannot unmount ${target}`, { cause });
    throw new Error(`${target} is in use: a program has a file or its working directory there (fuser -vm ${target})`);
  }
}

/**
 * The image that is mounted at a path. Pure.
 * @throws Error when there is none, or something else lies over it
 */
export function imageMount(mounts: readonly MountEntry[], target: string): MountEntry {
  const found = mounts.findLast((each) => each.target === target);
  if (found === undefined) throw new Error(`nothing is mounted at ${target}`);
  if (found.type !== 'squashfs' && !FUSE_TYPES.includes(found.type))
    throw new Error(`what is mounted at ${target} is ${found.type} and no image: umount ${target}`);
  return found;
}

async function directoryAt(path: string): Promise<string> {
  const facts = await stat(path).catch((cause: unknown) => {
    if (hasCode(cause, 'ENOENT')) throw new Error(`there is no directory ${path}: mkdir ${path}`);
    throw new Error(`cannot use ${path}`, { cause });
  });
  if (!facts.isDirectory()) throw new Error(`${path} is no directory`);
  return await realpath(path);
}

async function done(program: string, args: readonly string[]): Promise<void> {
  await run(program, [...args]).catch((error: Error & { stderr?: string }) => {
    throw new Error(`${program}: ${error.stderr?.trim().split('\n').at(-1) || error.message}`, { cause: error.cause });
  });
}

function thisPerson(): Person {
  return {
    isRoot: process.getuid?.() === 0,
    async program(name) {
      for (const directory of (process.env.PATH ?? '').split(delimiter)) {
        const path = join(directory, name);
        const isThere = await access(path, constants.X_OK).then(
          () => true,
          () => false,
        );
        if (directory !== '' && isThere) return path;
      }
      return undefined;
    },
  };
}
