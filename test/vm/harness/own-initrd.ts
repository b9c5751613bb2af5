import { readFile, writeFile } from 'node:fs/promises';
import { type ArchiveEntry, newcArchive } from './archive.ts';
import { viverKernel } from './direct.ts';
import { made } from './disks.ts';
import type { DirectKernel } from './scenario.ts';

/** VIVER's kernel and initrd with files laid over it, as a person puts them there: archives are unpacked one by one. */
export async function kernelWith(
  files: Readonly<Record<string, string | Buffer>>,
  ...words: readonly string[]
): Promise<DirectKernel> {
  const kernel = viverKernel(...words);
  const { initrd: own } = kernel;
  if (own === undefined) throw new Error('no initrd');
  const entries = Object.entries(files).map(
    ([path, data]): ArchiveEntry => ({ path, mode: 0o100644, data: Buffer.from(data) }),
  );
  const inputs = {
    description: Object.entries(files).map(([path, data]) => [path, `${data}`]),
    files: [own],
  };
  const initrd = await made('own.initrd', inputs, async (target) => {
    const archive = await readFile(own);
    const padding = Buffer.alloc((4 - (archive.length % 4)) % 4);
    await writeFile(target, Buffer.concat([archive, padding, newcArchive(entries)]));
  });
  return { ...kernel, initrd };
}
