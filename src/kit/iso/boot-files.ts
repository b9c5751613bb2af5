import { createHash, type Hash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { appendFile, copyFile, mkdir, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SquashfsImage } from '../../squashfs/squashfs-image.ts';

const PIECE_BYTES = 1024 * 1024;

/** What boots an image: files of this machine, with their SHA-256 as hex digits. */
export interface BootFiles {
  readonly kernel: string;
  readonly kernelHash: string;
  readonly initrd: string;
  readonly initrdHash: string;
}

/**
 * Kernel and initrd of an image, out of the image itself, where every machine that boots it has them for others.
 * @param into a directory of its own, which is made
 * @throws Error when the image has none
 */
export async function bootFilesOfImage(image: string, into: string): Promise<BootFiles> {
  await mkdir(into, { recursive: true });
  const kernel = join(into, 'vmlinuz');
  const initrd = join(into, 'viverrd.zst');
  using squashfs = new SquashfsImage(image);
  await copyOut(squashfs, 'boot/vmlinuz', kernel);
  await copyOut(squashfs, 'boot/viverrd.zst', initrd);
  return await hashed(kernel, initrd);
}

async function copyOut(image: SquashfsImage, path: string, to: string): Promise<void> {
  const entry = image.find(Buffer.from(path));
  if (entry?.open === undefined) {
    throw new Error(
      `${image.name} has no file /${path}, so it cannot boot: make it by viver image create, or give --boot DIR`,
    );
  }
  const content = await entry.open();
  await using file = await open(to, 'w');
  const piece = Buffer.alloc(PIECE_BYTES);
  for (let offset = 0; offset < content.size; ) {
    const count = await content.read(piece, offset);
    if (count === 0) throw new Error(`${image.name}: /${path} ends at byte ${offset} of ${content.size}`);
    await file.writeFile(piece.subarray(0, count));
    offset += count;
  }
}

/**
 * Kernel and initrd of a directory, as `make initrd` leaves them, with the field's secret behind the initrd where there is
 * one: a boot medium carries it, nothing that is served does.
 */
export async function bootFilesOfDirectory(directory: string, into: string): Promise<BootFiles> {
  await mkdir(into, { recursive: true });
  const kernel = join(directory, 'vmlinuz');
  const own = join(directory, 'viverrd.zst');
  for (const file of [kernel, own]) if (!existsSync(file)) throw new Error(`${file} is missing`);
  const key = join(directory, 'field-key.cpio');
  if (!existsSync(key)) return await hashed(kernel, own);
  const initrd = join(into, 'viverrd.zst');
  await copyFile(own, initrd);
  // The kernel unpacks one archive after the other; each begins at a multiple of four bytes.
  const { size } = await stat(own);
  await appendFile(initrd, Buffer.concat([Buffer.alloc((4 - (size % 4)) % 4), await readFile(key)]));
  return await hashed(kernel, initrd);
}

async function hashed(kernel: string, initrd: string): Promise<BootFiles> {
  return { kernel, kernelHash: await hashOf(kernel), initrd, initrdHash: await hashOf(initrd) };
}

async function hashOf(path: string): Promise<string> {
  const hash: Hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
