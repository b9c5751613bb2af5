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
import { COMMIT_OPTIONS, runCommit } from './commit/commit-action.ts';
import { CREATE_OPTIONS, type CreateWords, excludesText, reportJson, runCreate } from './create/create-action.ts';
import { HIGHEST_LEVEL } from './create-image.ts';
import { diffImages } from './image/diff-images.ts';
import { isThere } from './image/known-index.ts';
import { mountImage, unmountImage } from './image/mount-image.ts';
import { catImage, extractImage, listImage } from './image/read-image.ts';
import { signImage } from './image/sign-image.ts';
import { printParts } from './image/spdx-image.ts';
import { IMAGE_USAGE } from './image/usage.ts';
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
  readonly isGiven: boolean;
  readonly create: CreateWords;
}

interface ActionWords {
  readonly run: Action;
  readonly options: readonly string[];
  /** How many PATHs may follow the image's name: none; any number; at least one; one, called so in messages. */
  readonly paths?: 'any' | 'some' | 'one' | 'none';
}

const ACTIONS: Readonly<Record<string, ActionWords>> = {
  commit: { run: commit, options: ['output', 'level', 'json', 'no-give', ...COMMIT_OPTIONS], paths: 'none' },
  create: { run: create, options: ['output', 'level', 'json', ...Object.keys(CREATE_OPTIONS)] },
  excludes: { run: excludes, options: [] },
  info: { run: info, options: ['json'] },
  verify: { run: verify, options: ['json', 'key', 'id'] },
  index: { run: index, options: ['json'] },
  sign: { run: sign, options: ['secret', 'comment'] },
  ls: { run: (path, { json }, signal, paths) => listImage(path, paths, json, signal), options: ['json'], paths: 'any' },
  cat: { run: (path, _options, signal, paths) => catImage(path, paths, signal), options: [], paths: 'some' },
  extract: { run: extract, options: ['directory'], paths: 'any' },
  diff: {
    run: (path, { json }, signal, [other = '']) => diffImages(path, other, json, signal),
    options: ['json'],
    paths: 'one',
  },
  spdx: { run: (path) => printParts(path), options: [] },
  mount: { run: (path, _options, _signal, [directory = '']) => mountImage(path, directory), options: [], paths: 'one' },
  unmount: { run: (path) => unmountImage(path), options: [] },
};

/** What an action takes that takes no image. */
const NAMED: Readonly<Record<string, string>> = { create: 'SOURCE', excludes: 'TREE', unmount: 'directory' };

export const image: Command = {
  name: 'image',
  summary: 'make a disk image, show what it is, check it, sign it, look into it, compare it',
  usage: IMAGE_USAGE,
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
  if (action.paths === 'none' && path !== undefined) throw new UsageError(`${name} takes no '${path}'`);
  const wantsPath = name !== 'excludes' && action.paths !== 'none';
  if ((path === undefined && wantsPath) || (paths.length > 0 && action.paths === undefined))
    throw new UsageError(`${name} takes one ${NAMED[name] ?? 'image'}`);
  if (action.paths === 'one' && paths.length !== 1)
    throw new UsageError(name === 'diff' ? 'diff takes two images' : `${name} takes an image and a directory`);
  if (action.paths === 'some' && paths.length === 0) throw new UsageError(`${name} takes an image and a PATH`);
  if (name === 'sign' && values.secret === undefined) throw new UsageError('sign needs --secret FILE');
  if (name === 'extract' && values.directory === undefined) throw new UsageError('extract needs -C DIR');
  if (name === 'create' || name === 'commit') checkOutput(name, values.output);
  if (values.id !== undefined && !/^[0-9a-f]{64}$/i.test(values.id)) throw new UsageError('--id takes 64 hex digits');
  const {
    json = false,
    output,
    key: keys,
    id,
    directory,
    secret,
    comment,
    'no-give': keepsIt = false,
    ...create
  } = values;
  const level = values.level === undefined ? undefined : parseLevel(values.level);
  return {
    action: action.run,
    path: path ?? '/',
    options: { json, output, level, keys, id, directory, secret, comment, isGiven: !keepsIt, create },
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
        'no-give': { type: 'boolean' },
        ...CREATE_OPTIONS,
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function checkOutput(name: string, output: string | undefined): void {
  if (output === undefined) throw new UsageError(`${name} needs -o NAME.sqfs`);
  if (!output.endsWith(IMAGE_SUFFIX)) throw new UsageError(`'${output}' does not end in ${IMAGE_SUFFIX}`);
  const { name: image } = imagePaths(output);
  if (!isImageName(image)) throw new UsageError(`'${image}' is no image name: letters, digits and ._+~- only`);
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

async function commit(_path: string, options: ImageOptions, signal: AbortSignal): Promise<void> {
  const { json, output = '', level, isGiven, create: words } = options;
  const { givenAt, ...made } = await runCommit(output, words, { level, signal, isGiven });
  printResult(output, made.index, json, 'made', { more: { ...reportJson(made), givenAt: givenAt ?? null } });
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
  if (signature === undefined && (await isThere(paths.signature))) {
    process.stderr.write(`viver image: ${paths.signature} was not checked: no --key DIR\n`);
  }
  printResult(path, known, json, 'verified', signature === undefined ? {} : { signature });
}

async function info(path: string, { json }: ImageOptions, signal: AbortSignal): Promise<void> {
  const paths = imagePaths(path);
  await using file = await openImage(path);
  const indexed = await isThere(paths.index);
  const known = indexed ? await readIndexFile(paths.index) : await indexImage(path, signal);
  if (known.size !== file.size) {
    throw new Error(`${paths.index} is of an image of ${known.size} bytes, ${path} has ${file.size}`);
  }
  const signature = (await isThere(paths.signature)) ? await readSignature(paths.signature) : undefined;
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
