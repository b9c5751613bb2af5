import { access } from 'node:fs/promises';
import { ChunkStore } from '../image/chunk-store.ts';
import { openImage } from '../image/image-file.ts';
import { imagePaths } from '../image/image-reference.ts';
import { readIndexFile, writeIndexFile } from '../image/index-file.ts';
import { makeChunkIndex } from '../image/make-index.ts';
import { storeImage } from '../image/store-image.ts';
import { type Command, UsageError } from './command.ts';
import { withProgress } from './progress.ts';

export const chunk: Command = {
  name: 'chunk',
  summary: "put an image's chunks into a chunk store for web servers",
  usage: `usage: viver chunk store NAME.sqfs DIR.castr

Puts every chunk of the image into the chunk store DIR.castr (made when it is not there), as casync and desync write
it: DIR.castr/xxxx/HEX.cacnk. Chunks that are there already are kept, so several images share one store. A missing
chunk index NAME.caibx is made first. Any web server can serve the store and the index.
`,
  async run(args, signal) {
    const [action, path, directory, ...more] = args;
    const option = args.find((word) => word.startsWith('-'));
    if (option !== undefined) throw new UsageError(`unknown option '${option}'`);
    if (action !== 'store') throw new UsageError(action === undefined ? 'store wanted' : `no action '${action}'`);
    if (path === undefined || directory === undefined || more.length > 0) {
      throw new UsageError('store takes an image and a directory');
    }
    await store(path, directory, signal);
  },
};

async function store(path: string, directory: string, signal: AbortSignal): Promise<void> {
  await using image = await openImage(path);
  const { index: indexPath } = imagePaths(path);
  const indexed = await access(indexPath).then(
    () => true,
    () => false,
  );
  if (!indexed) {
    const made = await withProgress('index', (onProgress) => makeChunkIndex(image, { signal, onProgress }));
    await writeIndexFile(indexPath, made);
  }
  const index = await readIndexFile(indexPath);
  if (index.size !== image.size) {
    throw new Error(`${indexPath} is of an image of ${index.size} bytes, ${path} has ${image.size}`);
  }
  const { added, shared } = await withProgress('store', (onProgress) =>
    storeImage(image, index, new ChunkStore(directory), { signal, onProgress }),
  );
  process.stdout.write(`${directory}: ${added} chunks added, ${shared} shared, image id sha256:${index.id}\n`);
}
