import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ChunkStore } from '../image/chunk-store.ts';
import { openImage } from '../image/image-file.ts';
import { imageNameOf } from '../image/image-name.ts';
import { imagePaths } from '../image/image-reference.ts';
import { readIndexFile, writeIndexFile } from '../image/index-file.ts';
import { makeChunkIndex } from '../image/make-index.ts';
import { addToStore, type FileBeside, pruneStore } from '../image/serve-store.ts';
import { type Command, UsageError } from './command.ts';
import { withProgress } from './progress.ts';

export const chunk: Command = {
  name: 'chunk',
  summary: "put an image's chunks into a chunk store for web servers",
  usage: `usage: viver chunk store NAME.sqfs DIR.castr [--prune]

Puts every chunk of the image into the chunk store DIR.castr (made when it is not there), as casync and desync write
it: DIR.castr/xxxx/HEX.cacnk. Chunks that are there already are kept, so several images share one store. A missing
chunk index NAME.caibx is made first. Then the index, by the image's id and by its name, and signature and boot profile,
if it has any. Any web server can serve the directory. It may be interrupted, and done again, at any time.

--prune   afterwards removes what belongs to no image that lies there by its name: the chunks of the versions before.
          Machines that still run one of these have its missing chunks from each other alone
`,
  async run(words, signal) {
    const isPruning = words.includes('--prune');
    const args = words.filter((word) => word !== '--prune');
    const [action, path, directory, ...more] = args;
    const option = args.find((word) => word.startsWith('-'));
    if (option !== undefined) throw new UsageError(`unknown option '${option}'`);
    if (action !== 'store') throw new UsageError(action === undefined ? 'store wanted' : `no action '${action}'`);
    if (path === undefined || directory === undefined || more.length > 0) {
      throw new UsageError('store takes an image and a directory');
    }
    await store(path, directory, isPruning, signal);
  },
};

async function store(path: string, directory: string, isPruning: boolean, signal: AbortSignal): Promise<void> {
  await using image = await openImage(path);
  const { index: indexPath, name: called } = imagePaths(path);
  const stem = join(dirname(path), called);
  if (!(await isThere(indexPath))) {
    const made = await withProgress('index', (onProgress) => makeChunkIndex(image, { signal, onProgress }));
    await writeIndexFile(indexPath, made);
  }
  const index = await readIndexFile(indexPath);
  if (index.size !== image.size) {
    throw new Error(`${indexPath} is of an image of ${index.size} bytes, ${path} has ${image.size}`);
  }
  const name = imageNameOf(called) || index.id.slice(0, 12);
  const beside: FileBeside[] = [];
  for (const suffix of ['.caibx.minisig', '.profile']) {
    if (await isThere(`${stem}${suffix}`))
      beside.push({ path: `${stem}${suffix}`, name: `${name}${suffix}`, isById: suffix === '.profile' });
  }
  const { added, shared } = await withProgress('store', (onProgress) =>
    addToStore(image, index, name, new ChunkStore(directory), beside, { signal, onProgress }),
  );
  process.stdout.write(`${directory}: ${added} chunks added, ${shared} shared, image id sha256:${index.id}\n`);
  if (!isPruning) return;
  const { chunks, indexes, bytes } = await pruneStore(directory);
  process.stdout.write(`${directory}: ${chunks} chunks, ${indexes} indexes removed: ${(bytes / 1e6).toFixed(1)} MB\n`);
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
