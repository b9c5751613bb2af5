import { once } from 'node:events';
import { printable } from '../../codec/printable.ts';
import { imagePaths } from '../../image/image-reference.ts';
import { SquashfsImage } from '../../squashfs/squashfs-image.ts';
import { imageParts } from '../spdx/image-parts.ts';
import { documentPieces, unreadableRecords } from '../spdx/parts-document.ts';

/** `viver image spdx`. */
export async function printParts(path: string): Promise<void> {
  using image = new SquashfsImage(path);
  const { document, unreadable } = await imageParts(image, imagePaths(path).name);
  for (const piece of documentPieces(document)) {
    if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
  }
  if (unreadable > 0) process.stderr.write(`viver image: ${printable(path)}: ${unreadableRecords(unreadable)}\n`);
}
