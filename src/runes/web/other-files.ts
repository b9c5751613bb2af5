import { statSync } from 'node:fs';
import { join } from 'node:path';
import { resolveBelow } from '../../root/resolve-below.ts';
import { rootReader } from '../../root/root-reader.ts';
import { BOOT_FILES } from './boot-files.ts';
import { inFlightsOf } from './flight.ts';
import type { Answer } from './web-server.ts';

/**
 * `NAME/vmlinuz` or `NAME/viverrd.zst` of another image: from here only, since only here its medium is.
 * @param directoryOf where an image is mounted; undefined: it is not here
 */
export async function otherFile(
  path: string,
  query: URLSearchParams,
  directoryOf: (name: string) => Promise<string | undefined>,
): Promise<Answer | undefined> {
  const [name = '', file = '', more] = path.split('/');
  if (more !== undefined || !BOOT_FILES.includes(file)) return undefined;
  const directory = await directoryOf(name);
  // links of the image lead to files of the image
  const below = directory === undefined ? undefined : resolveBelow(directory, `/boot/${file}`, rootReader);
  if (directory === undefined || below === undefined) return undefined;
  const found = join(directory, below);
  return { kind: 'file', path: found, sizeBytes: statSync(found).size, ...inFlightsOf(query) };
}
