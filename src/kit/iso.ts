import { open, rename, rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { printable } from '../codec/printable.ts';
import { type Command, UsageError } from './command.ts';
import { prepareIso } from './iso/iso-stream.ts';
import { partialName } from './output-file.ts';
import { withProgress } from './progress.ts';

/** The largest file of FAT32 has 4 GiB less one byte. */
const FAT_LIMIT_BYTES = 2 ** 32;

export const iso: Command = {
  name: 'iso',
  summary: 'make an ISO of images that boots from CD, stick and disk',
  usage: `usage: viver iso IMAGE… -o FILE [--boot DIR] [--json]

Makes one file that boots by BIOS and UEFI (64 and 32 bits, Secure Boot with 64), from CD and, written by dd or viver
stick, from USB stick, SD card and hard disk. All its files copied onto one FAT32 partition boot by UEFI. Boot loaders
that start ISO files find /boot/grub/loopback.cfg in it.

IMAGE         NAME.sqfs; NAME.caibx and its signature come along when they lie beside it. Several images are several
              entries of the menu, the first is booted unless another is chosen
-o FILE       the ISO; appears whole or not at all
--boot DIR    kernel and initrd are DIR/vmlinuz and DIR/viverrd.zst; without it those in each image (/boot)
--json        {path, size, images} on standard output

The same inputs give the same bytes. Its date is that of the newest image, or SOURCE_DATE_EPOCH.
`,
  async run(args, signal) {
    const { values, positionals: images } = parseWords(args);
    const { output, boot, json = false } = values;
    if (images.length === 0) throw new UsageError('an IMAGE is missing');
    if (output === undefined) throw new UsageError('-o FILE is missing');
    const partial = partialName(output, images);
    await using ready = await prepareIso({ images, ...(boot === undefined ? {} : { boot }), signal, tell });
    try {
      const size = await withProgress('iso', (update) => writeFile(partial, ready.chunks(), ready.sizeBytes, update));
      await rename(partial, output);
      if (json) process.stdout.write(`${JSON.stringify({ path: output, size, images: ready.names })}\n`);
      else process.stdout.write(`${output}: ${size} bytes, boots ${ready.names.join(', ')}\n`);
      if (size >= FAT_LIMIT_BYTES) {
        process.stderr.write(
          'viver iso: 4 GiB or larger: it cannot lie on FAT32, nor can its image; write it by viver stick\n',
        );
      }
    } finally {
      await rm(partial, { force: true });
    }
  },
};

const tell = (line: string): void => void process.stderr.write(`viver iso: ${printable(line)}\n`);

async function writeFile(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  totalBytes: number,
  update: (done: number, total: number) => void,
): Promise<number> {
  await using file = await open(path, 'w');
  let done = 0;
  for await (const chunk of chunks) {
    await file.writeFile(chunk);
    done += chunk.length;
    update(done, totalBytes);
  }
  await file.sync();
  return done;
}

function parseWords(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { output: { type: 'string', short: 'o' }, boot: { type: 'string' }, json: { type: 'boolean' } },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
