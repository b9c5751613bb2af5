import { open, rename, rm } from 'node:fs/promises';
import { partialName } from './output-file.ts';

/** Writes a text so that whoever reads `path` finds the old one or the new one, never half of it. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = partialName(path);
  try {
    await using file = await open(temporary, 'wx');
    await file.writeFile(text);
    await file.sync();
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}
