import { askIndex } from '../../field/control.ts';
import { type ChunkIndex, decodeChunkIndex } from '../../image/chunk-index.ts';
import { imagePaths } from '../../image/image-reference.ts';
import { readIndexFile } from '../../image/index-file.ts';
import { describeError } from '../../linux/describe-error.ts';
import { readMounts } from '../../linux/mount.ts';
import { loadWritten, WRITTEN_FILE, type Written } from '../../root/written.ts';
import { readMachine } from '../../runes/machine.ts';
import { FIELD_SOCKET, PRIVATE_DIRECTORY, RUN_DIRECTORY } from '../../runes/places.ts';
import { isThere, knownIndex } from '../image/known-index.ts';

/** The image that this machine runs, as its root has it below. */
export interface RunningImage {
  readonly name: string;
  /** The block device it is mounted from. */
  readonly device: string;
  readonly index: ChunkIndex;
  /** What VIVER wrote over it; empty when nobody knows. */
  readonly written: Written;
}

/**
 * @param say told what a person should know
 * @throws Error when this machine runs no image of VIVER's
 */
export async function readRunningImage(signal: AbortSignal, say: (line: string) => void): Promise<RunningImage> {
  const { image } = readMachine();
  const lower = readMounts().findLast(
    ({ target, type }) => target === `${PRIVATE_DIRECTORY}/lower` && type === 'squashfs',
  );
  if (image === undefined || lower === undefined) {
    throw new Error('this machine does not run from an image of VIVER: viver image create / makes one of what it runs');
  }
  const written = loadWritten(`${RUN_DIRECTORY}/${WRITTEN_FILE}`);
  if (written === undefined)
    say(`what VIVER wrote into this system is not known (booted by an older one): it stays in`);
  const { source: device } = lower;
  const index = (await indexAt(image, say)) ?? (await knownIndex(device, signal));
  return { name: image.name, device, index, written: written ?? new Map() };
}

/** The index beside the image, or the one that the field's daemon has: reading all of the image for it takes long. */
async function indexAt(
  { id, path }: { readonly id: string | undefined; readonly path: string | undefined },
  say: (line: string) => void,
): Promise<ChunkIndex | undefined> {
  if (id === undefined) return undefined;
  const beside = path === undefined ? undefined : imagePaths(path).index;
  try {
    if (beside !== undefined && (await isThere(beside))) return await readIndexFile(beside, id);
    const bytes = (await isThere(FIELD_SOCKET)) ? await askIndex(FIELD_SOCKET) : undefined;
    const index = bytes === undefined ? undefined : decodeChunkIndex(bytes);
    return index?.id === id ? index : undefined;
  } catch (error) {
    say(`the index of the running image is made anew: ${describeError(error)}`);
    return undefined;
  }
}
