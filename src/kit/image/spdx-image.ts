import { once } from 'node:events';
import { imagePaths } from '../../image/image-reference.ts';
import { SquashfsImage } from '../../squashfs/squashfs-image.ts';
import { imageParts } from '../spdx/image-parts.ts';
import { knownIndex } from './known-index.ts';

/** `viver image spdx`. */
export async function printParts(path: string, signal: AbortSignal): Promise<void> {
  using image = new SquashfsImage(path);
  const { id } = await knownIndex(path, signal);
  const parts = await imageParts(image, { name: imagePaths(path).name, id });
  if (!process.stdout.write(`${JSON.stringify(parts, undefined, 1)}\n`)) await once(process.stdout, 'drain');
}
