import { once } from 'node:events';
import { imagePaths } from '../../image/image-reference.ts';
import { SquashfsImage } from '../../squashfs/squashfs-image.ts';
import { imageParts } from '../spdx/image-parts.ts';
import { documentText } from '../spdx/parts-document.ts';

/** `viver image spdx`. */
export async function printParts(path: string): Promise<void> {
  using image = new SquashfsImage(path);
  const parts = await imageParts(image, imagePaths(path).name);
  if (!process.stdout.write(documentText(parts))) await once(process.stdout, 'drain');
}
