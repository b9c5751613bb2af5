import { open, rename, rm } from 'node:fs/promises';
import { partialName } from './output-file.ts';

/** Writes a file so that whoever reads `path` finds the old one or the new one, never half of it. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = partialName(path);
  try {
    await using file = await open(temporary, 'wx');
    await file.writeFile(content);
    await file.sync();
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}
