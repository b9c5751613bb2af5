import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { copyFile, mkdir, open, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { openImage } from '../../image/image-file.ts';
import { isImageName } from '../../image/image-name.ts';
import { IMAGE_SUFFIX, imagePaths } from '../../image/image-reference.ts';
import { findKit, type KitFiles, kitTool } from '../initrd/kit-files.ts';
import { sourceDate } from '../source-date.ts';
import { bootFilesOfDirectory, bootFilesOfImage } from './boot-files.ts';
import {
  DISK_SIGNATURE_AT,
  diskSignature,
  graftLine,
  type IsoFile,
  type IsoImage,
  isoId,
  planIso,
  volumeDate,
} from './iso-plan.ts';
import { findMediumMenu, grubMenu, LOOPBACK_MENU } from './menu.ts';
import { partsLists } from './parts-lists.ts';

/** Of an image's head, which tells it from others: its superblock. */
const IMAGE_HEAD_BYTES = 96;
const ISO_BLOCK_BYTES = 2048;
const MIB = 1024 * 1024;
/** Room of the EFI system partition beside its files. */
const EFI_SPARE_BYTES = 512 * 1024;

const UEFI_LOADERS = ['BOOTX64.EFI', 'BOOTIA32.EFI', 'grubx64.efi', 'mmx64.efi'];

export interface IsoRequest {
  /** Paths of NAME.sqfs; index and signature beside one come along. */
  readonly images: readonly string[];
  /** Directory of vmlinuz and viverrd.zst for all of them; without it each image's own. */
  readonly boot?: string;
  readonly kit?: KitFiles;
  readonly signal: AbortSignal;
  /** Told what the ISO goes without. */
  readonly tell: (line: string) => void;
}

/** An ISO that is ready to be written; what it is made of is thrown away when it is disposed of. */
export interface IsoStream extends AsyncDisposable {
  readonly sizeBytes: number;
  readonly names: readonly string[];
  /** All its bytes from the first on; may be asked for once. */
  chunks(): AsyncGenerator<Uint8Array>;
}

/**
 * Makes ready an ISO that boots by BIOS and UEFI (64 and 32 bits, Secure Boot too), from CD and, written to them, from USB
 * stick, SD card and hard disk. Its files copied onto one FAT32 partition boot by UEFI. Same inputs, same bytes.
 * @throws Error when an image cannot be read or boots nothing, or a program is missing
 */
export async function prepareIso(request: IsoRequest): Promise<IsoStream> {
  const { signal, tell } = request;
  const kit = request.kit ?? findKit();
  if (!existsSync(kit.loaders)) throw new Error(`${kit.loaders} is missing: make iso`);
  const work = mkdtempSync(join(tmpdir(), 'viver-iso-'));
  const dispose = () => rm(work, { recursive: true, force: true });
  try {
    const images: IsoImage[] = [];
    for (const path of request.images)
      images.push(await readImage(path, request.boot, join(work, `boot-${images.length}`)));
    const { files, menu } = planIso(images);
    const texts: readonly (readonly [string, string])[] = [
      ['boot/grub/grub.cfg', grubMenu(menu)],
      ['boot/grub/loopback.cfg', LOOPBACK_MENU],
    ];
    const loaders = await Promise.all(
      [...UEFI_LOADERS, 'eltorito.img'].map((name) => readFile(join(kit.loaders, name))),
    );
    const heads = await Promise.all(images.map(({ path }) => headOf(path)));
    const small = await Promise.all(images.flatMap(({ beside }) => beside).map((path) => readFile(path)));
    const hashes = images.flatMap(({ name, boot }) => [name, boot.kernelHash, boot.initrdHash]);
    const id = isoId([...texts.flat(), ...loaders, ...heads, ...small, ...hashes]);
    const seconds = await dateOf(images);
    const tree = join(work, 'tree');
    for (const [path, text] of [...texts, [`boot/grub/${id}.id`, `${id}\n`] as const])
      await put(join(tree, path), text);
    const efi = await efiPartition(kit, id, seconds, work);
    const own: IsoFile[] = [
      ...texts.map(([path]) => ({ target: path, source: join(tree, path) })),
      { target: `boot/grub/${id}.id`, source: join(tree, `boot/grub/${id}.id`) },
      { target: 'boot/grub/i386-pc/eltorito.img', source: join(kit.loaders, 'eltorito.img') },
      ...UEFI_LOADERS.map((name) => ({ target: `EFI/BOOT/${name}`, source: join(kit.loaders, name) })),
    ];
    const list = join(work, 'files');
    const others = [...own, ...files.filter(({ target }) => target.startsWith('boot/'))];
    const lists = await partsLists({ kitList: kit.parts, id, seconds, images, files: others, work, tell });
    await writeFile(list, [...own, ...files, ...lists].map(graftLine).join(''));
    const words = xorrisoWords(kit, { id, seconds, efi, list });
    const { command, args } = kitTool(kit, 'xorriso', 'xorriso');
    const environment = { ...process.env, TZ: 'UTC', SOURCE_DATE_EPOCH: String(seconds), LC_ALL: 'C' };
    const asked = await promisify(execFile)(command, [...args, ...words, '-print-size'], { env: environment });
    const blocks = Number(/(?:^|\n)\s*(\d+)\s*(?:\n|$)/.exec(asked.stdout)?.[1]);
    if (!(blocks > 0))
      throw new Error(`xorriso does not say how large the ISO becomes: ${asked.stdout} ${asked.stderr}`);
    return {
      sizeBytes: blocks * ISO_BLOCK_BYTES,
      names: images.map(({ name }) => name),
      async *chunks() {
        const child = spawn(command, [...args, ...words, '-o', '-'], {
          env: environment,
          stdio: ['ignore', 'pipe', 'pipe'],
          signal,
        });
        yield* signed(programOutput(child, 'xorriso'), diskSignature(id));
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function readImage(path: string, boot: string | undefined, work: string): Promise<IsoImage> {
  const { name, index, signature } = imagePaths(path);
  if (!path.endsWith(IMAGE_SUFFIX) || !isImageName(name))
    throw new Error(`${path}: an image is a file NAME${IMAGE_SUFFIX}`);
  await (await openImage(path))[Symbol.asyncDispose]();
  const files =
    boot === undefined ? await bootFilesOfImage(path, work) : await bootFilesOfDirectory(resolve(boot), work);
  return {
    name,
    path: resolve(path),
    beside: [index, signature].filter((each) => existsSync(each)).map((each) => resolve(each)),
    boot: files,
  };
}

async function headOf(path: string): Promise<Uint8Array> {
  await using file = await open(path);
  const head = Buffer.alloc(IMAGE_HEAD_BYTES);
  await file.read(head, 0, IMAGE_HEAD_BYTES, 0);
  return head;
}

/** SOURCE_DATE_EPOCH, else the newest image's own date. */
async function dateOf(images: readonly IsoImage[]): Promise<number> {
  const given = sourceDate();
  if (given !== undefined) return given;
  const dates: number[] = [];
  for (const { path } of images) {
    await using image = await openImage(path);
    dates.push(image.superblock.createdSeconds);
  }
  return Math.max(...dates);
}

async function put(path: string, bytes: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

/** What UEFI sees of a CD or of a written stick is this FAT file system alone; its grub.cfg leads to the ISO. */
async function efiPartition(kit: KitFiles, id: string, seconds: number, work: string): Promise<string> {
  const directory = join(work, 'efi');
  await mkdir(join(directory, 'EFI/BOOT'), { recursive: true });
  let bytes = EFI_SPARE_BYTES;
  for (const name of UEFI_LOADERS) {
    await copyFile(join(kit.loaders, name), join(directory, 'EFI/BOOT', name));
    bytes += (await stat(join(kit.loaders, name))).size;
  }
  await put(join(directory, 'boot/grub/grub.cfg'), findMediumMenu(id));
  for (const path of await readdir(directory, { recursive: true }))
    await utimes(join(directory, path), seconds, seconds);
  const image = join(work, 'efi.img');
  await writeFile(image, '');
  await truncate(image, Math.ceil(bytes / MIB) * MIB);
  // mcopy asks the C library for the code page of FAT names; the kit's brings its own.
  const codePages = kit.tools === undefined ? {} : { GCONV_PATH: join(kit.tools, 'usr/lib/x86_64-linux-gnu/gconv') };
  const environment = { ...process.env, ...codePages, SOURCE_DATE_EPOCH: String(seconds), TZ: 'UTC' };
  const run = async (name: string, from: string, words: readonly string[]): Promise<void> => {
    const { command, args } = kitTool(kit, name, from);
    await promisify(execFile)(command, [...args, ...words], { cwd: directory, env: environment });
  };
  await run('mkfs.vfat', 'dosfstools', ['--invariant', '-i', id.slice(0, 8), '-n', 'VIVER-EFI', image]);
  await run('mcopy', 'mtools', ['-s', '-m', '-i', image, 'EFI', 'boot', '::']);
  return image;
}

interface IsoWords {
  readonly id: string;
  readonly seconds: number;
  readonly efi: string;
  readonly list: string;
}

/**
 * An MBR and no GPT: a partition for the changes (viver.cow=keep) is then one sector more or less, and no second table is
 * in the way at the end of a stick. Partition 1 is the ISO itself, 2 the EFI system partition.
 */
function xorrisoWords(kit: KitFiles, { id, seconds, efi, list }: IsoWords): string[] {
  return [
    ...['-as', 'mkisofs', '-quiet', '-r', '-J', '-joliet-long', '-iso-level', '3', '-V', 'VIVER'],
    `--modification-date=${volumeDate(seconds, id)}`,
    ...['--set_all_file_dates', `=${seconds}`],
    ...['--grub2-mbr', join(kit.loaders, 'boot_hybrid.img'), '-partition_offset', '16'],
    ...['-iso_mbr_part_type', '0x83', '--mbr-force-bootable'],
    ...['-b', 'boot/grub/i386-pc/eltorito.img', '-c', 'boot/grub/boot.cat', '-no-emul-boot', '-boot-load-size', '4'],
    ...['-boot-info-table', '--grub2-boot-info', '-append_partition', '2', '0xef', efi],
    ...['-eltorito-alt-boot', '-e', '--interval:appended_partition_2:all::', '-no-emul-boot'],
    ...['-graft-points', '-path-list', list],
  ];
}

async function* programOutput(child: ChildProcess, name: string): AsyncGenerator<Uint8Array> {
  let words = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-4096);
  });
  const ended = once(child, 'close');
  ended.catch(() => {}); // told below, once the output is through
  try {
    for await (const chunk of child.stdout ?? []) yield chunk;
    const [code] = await ended;
    if (code !== 0) throw new Error(`${name} ended with ${code}: ${words.trim().split('\n').slice(-2).join('; ')}`);
  } finally {
    if (child.exitCode === null) child.kill();
  }
}

async function* signed(chunks: AsyncIterable<Uint8Array>, signature: Uint8Array): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const chunk of chunks) {
    for (let i = 0; i < signature.length; i++) {
      const place = DISK_SIGNATURE_AT + i - at;
      if (place >= 0 && place < chunk.length) chunk[place] = signature[i] ?? 0;
    }
    at += chunk.length;
    yield chunk;
  }
}
