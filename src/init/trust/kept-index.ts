import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ChunkIndex } from '../../image/chunk-index.ts';
import { writeIndexFile } from '../../image/index-file.ts';

/** For an index that lies on no medium: made here, or come from the field. */
const DIRECTORY = '/run/viver/index';

/** @returns where it lies for the daemon */
export async function keepIndex(index: ChunkIndex): Promise<string> {
  mkdirSync(DIRECTORY, { recursive: true, mode: 0o755 });
  const path = join(DIRECTORY, `${index.id}.caibx`);
  await writeIndexFile(path, index);
  return path;
}
