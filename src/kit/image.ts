import { access } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { ChunkIndex } from '../image/chunk-index.ts';
import { openImage } from '../image/image-file.ts';
import { isImageName } from '../image/image-name.ts';
import { IMAGE_SUFFIX, imagePaths } from '../image/image-reference.ts';
import { readIndexFile, writeIndexFile } from '../image/index-file.ts';
import { makeChunkIndex } from '../image/make-index.ts';
import { type CheckedSignature, readSignature, verifyIndexSignature } from '../image/signature.ts';
import { verifyImage } from '../image/verify.ts';
import { type Command, UsageError } from './command.ts';
import { CREATE_OPTIONS, type CreateWords, excludesText, reportJson, runCreate } from './create/create-action.ts';
import { DEFAULT_LEVEL, HIGHEST_LEVEL } from './create-image.ts';
import { catImage, extractImage, listImage } from './image/read-image.ts';
import { signImage } from './image/sign-image.ts';
import { withProgress } from './progress.ts';

type Action = (path: string, options: ImageOptions, signal: AbortSignal, paths: readonly string[]) => Promise<void>;

interface ImageOptions {
  readonly json: boolean;
  readonly output: string | undefined;
  /** Undefined: as the image that it is based on, or the usual one. */
  readonly level: number | undefined;
  readonly keys: string | undefined;
  readonly id: string | undefined;
  readonly directory: string | undefined;
  readonly secret: string | undefined;
  readonly comment: string | undefined;
  readonly create: CreateWords;
}

interface ActionWords {
  readonly run: Action;
  readonly options: readonly string[];
  /** How many PATHs may follow the image's name: none; any number; at least one. */
  readonly paths?: 'any' | 'some';
}

const ACTIONS: Readonly<Record<string, ActionWords>> = {
  create: { run: create, options: ['output', 'level', 'json', ...Object.keys(CREATE_OPTIONS)] },
  excludes: { run: excludes, options: [] },
  info: { run: info, options: ['json'] },
  verify: { run: verify, options: ['json', 'key', 'id'] },
  index: { run: index, options: ['json'] },
  sign: { run: sign, options: ['secret', 'comment'] },
  ls: { run: (path, { json }, signal, paths) => listImage(path, paths, json, signal), options: ['json'], paths: 'any' },
  cat: { run: (path, _options, signal, paths) => catImage(path, paths, signal), options: [], paths: 'some' },
  extract: { run: extract, options: ['directory'], paths: 'any' },
};

export const image: Command = {
  name: 'image',
  summary: 'make a disk image, show what it is, check it, sign it, look into it',
  usage: `usage: viver image create SOURCE -o NAME.sqfs [--level N] [--json] [--system] [--with PATH]… [--cross]
           [--exclude PATTERN]… [--include PATTERN]… [--excludes FILE | --no-excludes]
           [--kernel VERSION|FILE] [--viverrd FILE] [--no-kernel] [--base OLD.sqfs]
       viver image excludes [TREE]
       viver image info NAME.sqfs [--json]
       viver image verify NAME.sqfs [--id HEX] [--key DIR] [--json]
       viver image index NAME.sqfs [--json]
       viver image sign NAME.sqfs --secret FILE [--comment TEXT]
       viver image ls NAME.sqfs [PATH…] [--json]
       viver image cat NAME.sqfs PATH…
       viver image extract NAME.sqfs [PATH…] -C DIR

create   makes NAME.sqfs and its chunk index NAME.caibx of SOURCE: / (the running system), a directory, a tar (plain or
         packed by gzip, zstd, xz, bzip2), - (a tar on standard input), oci:DIR (an OCI layout), debian:SUITE (a small
         Debian, by mmdebstrap). Owners, modes and extended attributes are kept. Kernel and initrd are put in /boot, so
         that others can boot from it. The same input gives the same bytes when SOURCE_DATE_EPOCH is set.
         --level N  of compression (zstd), 1 to ${HIGHEST_LEVEL}, default ${DEFAULT_LEVEL}: lower is faster but larger
         --system   the directory is an installed system: treated as / is. Of / the file systems of its own directories
                    are taken (/boot, /usr, /var …), and what must not be shared is left out (viver image excludes).
                    Of any other directory one file system is taken, and nothing is left out
         --with P   also the file system that is mounted at P: --with /home
         --cross    all file systems of disks that are mounted below
         --exclude PATTERN, --include PATTERN   leave out besides, keep all the same: a path from the root of the tree
                    (/etc/secret), or a name in any directory (*.iso)
         --excludes FILE   this list in place of VIVER's own; --no-excludes: none
         --kernel VERSION  this kernel of the tree; without it the newest with modules. FILE, with a slash in it: that one
         --viverrd FILE    the initrd for that kernel, already made
         --no-kernel       puts in neither: others cannot boot from the image
         --base OLD.sqfs   an image of nearly the same tree: what did not change since is packed as it is there, so that
                    who has the old image fetches little of the new one. Says how much is new, before and after
excludes prints the list of what is left out of an installed system, for the distribution of TREE (/ unless given)
info     what the image is. Without an index beside it the id is computed, which reads the whole image.
verify   checks the image against the index beside it, byte for byte.
         --id HEX   the image id must be this one
         --key DIR  the index must be signed (NAME.caibx.minisig) by one of the public keys DIR/*.pub
index    makes NAME.caibx anew.
sign     makes NAME.caibx.minisig, the signature of the index, as minisign makes it.
         --secret FILE   the secret key of minisign -G. Its password, if it has one, is asked for at the terminal, or is
                         the first line of standard input
         --comment TEXT  what the signature says of the image
ls       lists what is at and below each PATH, or everything: type and mode, user/group, bytes, time (UTC), path
cat      writes the files to standard output
extract  makes files of what is at and below each PATH, or of everything, in DIR, which must be empty or not there.
         Nothing is ever made outside of DIR. As root owners, devices and attributes are kept.
These three read the image without mounting it, whatever it is packed by (gzip, lzma, lzo, xz, lz4, zstd).

With --json, one object on standard output:
  info                   {name, path, id, size, chunks, compression, blockSize, created, indexPath, signature}
                         size and blockSize in bytes, created in ISO 8601, indexPath null when there is no index file,
                         signature null or {path, keyId, trustedComment}, not checked
  ls                     a line for each: {path, kind, mode, uid, gid, mtime, size, device, target, attributes}, those
                         it has; pathBase64, targetBase64 too where they are no UTF-8; attributes in base64
  create, index, verify  {name, path, id, size, chunks, indexPath}; verify with --key also
                         signature: {path, keyId, trustedComment, keyPath}; create also {family, kernel, leftOut:
                         [{path, why}], excluded: {reason: count}, changed: [path], vanished: [path], inodes,
                         fileBytes, clampedTimes, attributesLeft: {name: count}, sockets}
`,
  async run(args, signal) {
    const { action, path, options, paths } = parseWords(args);
    await action(path, options, signal, paths);
  },
};

function parseWords(args: readonly string[]): {
  action: Action;
  path: string;
  options: ImageOptions;
  paths: readonly string[];
} {
  const [name, ...rest] = args;
  if (name === undefined) throw new UsageError(`one of ${Object.keys(ACTIONS).join(', ')} wanted`);
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined) throw new UsageError(`no action '${name}'`);
  const { values, positionals } = parseOptions(rest);
  for (const option of Object.keys(values)) {
    if (!action.options.includes(option)) throw new UsageError(`${name} takes no --${option}`);
  }
  const [path, ...paths] = positionals;
  if ((path === undefined && name !== 'excludes') || (paths.length > 0 && action.paths === undefined))
    throw new UsageError(`${name} takes one ${name === 'create' ? 'SOURCE' : 'image'}`);
  if (action.paths === 'some' && paths.length === 0) throw new UsageError(`${name} takes an image and a PATH`);
  if (name === 'sign' && values.secret === undefined) throw new UsageError('sign needs --secret FILE');
  if (name === 'extract' && values.directory === undefined) throw new UsageError('extract needs -C DIR');
  if (name === 'create') checkOutput(values.output);
  if (values.id !== undefined && !/^[0-9a-f]{64}$/i.test(values.id)) throw new UsageError('--id takes 64 hex digits');
  const { json = false, output, key: keys, id, directory, secret, comment, ...create } = values;
  const level = values.level === undefined ? undefined : parseLevel(values.level);
  return {
    action: action.run,
    path: path ?? '/',
    options: { json, output, level, keys, id, directory, secret, comment, create },
    paths,
  };
}

function parseOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        output: { type: 'string', short: 'o' },
        level: { type: 'string' },
        key: { type: 'string' },
        id: { type: 'string' },
        directory: { type: 'string', short: 'C' },
        secret: { type: 'string' },
        comment: { type: 'string' },
        ...CREATE_OPTIONS,
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function checkOutput(output: string | undefined): void {
  if (output === undefined) throw new UsageError('create needs -o NAME.sqfs');
  if (!output.endsWith(IMAGE_SUFFIX)) throw new UsageError(`'${output}' does not end in ${IMAGE_SUFFIX}`);
  const { name } = imagePaths(output);
  if (!isImageName(name)) throw new UsageError(`'${name}' is no image name: letters, digits and ._+~- only`);
}

function parseLevel(text: string): number {
  const level = Number(text);
  if (!/^\d+$/.test(text) || level < 1 || level > HIGHEST_LEVEL) {
    throw new UsageError(`--level: '${text}' is no whole number from 1 to ${HIGHEST_LEVEL}`);
  }
  return level;
}

async function create(source: string, options: ImageOptions, signal: AbortSignal): Promise<void> {
  const { json, output = '', level, create: words } = options;
  const made = await runCreate(source, output, words, { level, signal });
  printResult(output, made.index, json, 'made', { more: reportJson(made) });
}

async function excludes(tree: string): Promise<void> {
  process.stdout.write(excludesText(tree));
}

async function extract(
  path: string,
  { directory = '' }: ImageOptions,
  signal: AbortSignal,
  paths: readonly string[],
): Promise<void> {
  await extractImage(path, paths, directory, signal);
}

async function index(path: string, { json }: ImageOptions, signal: AbortSignal): Promise<void> {
  const made = await indexImage(path, signal);
  await writeIndexFile(imagePaths(path).index, made);
  printResult(path, made, json, 'indexed');
}

async function sign(path: string, { secret = '', comment }: ImageOptions, signal: AbortSignal): Promise<void> {
  await signImage(path, { secret, comment, signal });
}

async function verify(path: string, { json, keys, id }: ImageOptions, signal: AbortSignal): Promise<void> {
  const paths = imagePaths(path);
  await using file = await openImage(path);
  const known = await readIndexFile(paths.index, id);
  const signature = keys === undefined ? undefined : await verifyIndexSignature(known, paths.signature, keys);
  await withProgress('verify', (onProgress) => verifyImage(file, known, { signal, onProgress }));
  if (signature === undefined && (await exists(paths.signature))) {
    process.stderr.write(`viver image: ${paths.signature} was not checked: no --key DIR\n`);
  }
  printResult(path, known, json, 'verified', signature === undefined ? {} : { signature });
}

async function info(path: string, { json }: ImageOptions, signal: AbortSignal): Promise<void> {
  const paths = imagePaths(path);
  await using file = await openImage(path);
  const indexed = await exists(paths.index);
  const known = indexed ? await readIndexFile(paths.index) : await indexImage(path, signal);
  if (known.size !== file.size) {
    throw new Error(`${paths.index} is of an image of ${known.size} bytes, ${path} has ${file.size}`);
  }
  const signature = (await exists(paths.signature)) ? await readSignature(paths.signature) : undefined;
  const facts = {
    name: paths.name,
    path,
    id: known.id,
    size: file.size,
    chunks: known.count,
    compression: file.superblock.compression,
    blockSize: file.superblock.blockSize,
    created: new Date(file.superblock.createdSeconds * 1000).toISOString().replace('.000Z', 'Z'),
    indexPath: indexed ? paths.index : null,
    signature:
      signature === undefined
        ? null
        : { path: paths.signature, keyId: signature.keyId, trustedComment: signature.trustedComment },
  };
  if (json) printJson(facts);
  else printRows({ ...facts, signature: facts.signature === null ? 'none' : `${facts.signature.keyId}, not checked` });
}

async function indexImage(path: string, signal: AbortSignal): Promise<ChunkIndex> {
  await using file = await openImage(path);
  return await withProgress('index', (onProgress) => makeChunkIndex(file, { signal, onProgress }));
}

function printResult(
  path: string,
  known: ChunkIndex,
  json: boolean,
  done: string,
  { signature, more }: { signature?: CheckedSignature; more?: Readonly<Record<string, unknown>> } = {},
): void {
  const { name, index: indexPath } = imagePaths(path);
  const facts = { name, path, id: known.id, size: known.size, chunks: known.count, indexPath };
  if (json) printJson({ ...facts, ...(signature === undefined ? {} : { signature }), ...more });
  else {
    const signer = signature === undefined ? '' : `, signed by ${signature.keyId} (${signature.trustedComment})`;
    process.stdout.write(
      `${path}: ${done}, id sha256:${known.id}, ${known.size} bytes in ${known.count} chunks${signer}\n`,
    );
  }
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function printRows(facts: Readonly<Record<string, string | number | null>>): void {
  const width = Math.max(...Object.keys(facts).map((key) => key.length));
  for (const [key, value] of Object.entries(facts)) {
    process.stdout.write(`${key.padEnd(width)}  ${value ?? 'none'}\n`);
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
