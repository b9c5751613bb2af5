import { NONE } from './c-structs.ts';
import type { FragmentGroup } from './data-writer.ts';
import type { TreeEntry } from './entry.ts';
import type { SquashfsImage } from './squashfs-image.ts';

interface EarlierFile {
  readonly size: number;
  readonly mtime: number;
  /** Its fragment block, counted in the order in which the blocks lie in the image; undefined for a large file. */
  readonly group: number | undefined;
}

/**
 * How an earlier image is laid out, so that a new one of nearly the same tree can be laid out as it is: then the bytes
 * between what changed are the same, and so are the chunks that they are cut into.
 */
export class EarlierLayout {
  readonly #files = new Map<string, EarlierFile>();
  /** How far each block is filled. */
  readonly #blockBytes = new Map<number, number>();
  /** Times were made no later than this (SOURCE_DATE_EPOCH), when there was such a limit. */
  readonly #epoch: number;

  /** Of all files together, before packing. */
  readonly fileBytes: number;

  /** Reads all directories of the image, none of its files. */
  constructor(image: SquashfsImage) {
    this.#epoch = image.superblock.createdSeconds;
    let fileBytes = 0;
    for (const { path, mtime, inode, kind } of image.walk()) {
      if (kind !== 'file' || inode.file === undefined) continue;
      const { size, fragment, fragmentOffset } = inode.file;
      fileBytes += size;
      const small = fragment !== NONE && inode.file.blocks.length === 0 && size > 0;
      if (small) {
        this.#blockBytes.set(fragment, Math.max(this.#blockBytes.get(fragment) ?? 0, fragmentOffset + size));
      }
      this.#files.set(path.toString('latin1'), {
        size,
        mtime,
        group: small ? fragment : undefined,
      });
    }
    this.fileBytes = fileBytes;
  }

  /** Whether the file is as it was, as far as its size and time say. Its bytes are read and packed all the same. */
  has(entry: TreeEntry): boolean {
    return this.#unchanged(entry) !== undefined;
  }

  /** For `WriteOptions.group`. A file that changed stays where it was: the block that held it is a new one anyhow. */
  group({ path, kind }: TreeEntry): FragmentGroup | undefined {
    const number = kind === 'file' ? this.#files.get(path.toString('latin1'))?.group : undefined;
    return number === undefined ? undefined : { number, bytes: this.#blockBytes.get(number) ?? 0 };
  }

  #unchanged({ path, size, mtime, kind }: TreeEntry): EarlierFile | undefined {
    const earlier = kind === 'file' ? this.#files.get(path.toString('latin1')) : undefined;
    if (earlier === undefined || earlier.size !== size) return undefined;
    return earlier.mtime === Math.min(mtime, this.#epoch) || earlier.mtime === mtime ? earlier : undefined;
  }
}
