import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { openImage } from '../image/image-file.ts';
import { isImageName } from '../image/image-name.ts';
import { IMAGE_SUFFIX, imagePaths, parseImageReference } from '../image/image-reference.ts';
import { readIndexFile } from '../image/index-file.ts';
import {
  encodeRelease,
  formatTime,
  isExpired,
  type PinnedImage,
  parseRelease,
  parseTime,
  parseWord,
  RELEASE_LIMIT_BYTES,
  RELEASE_SUFFIX,
  type ReadRelease,
  type ReleaseWord,
  signRelease,
  verifyRelease,
} from '../image/release.ts';
import { readPublicKeys } from '../image/signature.ts';
import { regularFileBytes } from '../linux/file.ts';
import { type Command, UsageError } from './command.ts';
import { unlocked } from './image/secret-key.ts';
import { sourceDate } from './source-date.ts';
import { writeWhole } from './write-whole.ts';

/** Long enough for a school year's holidays; who keeps an old release back cannot bring it after that. */
export const DEFAULT_DAYS = 90;
const DAY_SECONDS = 86_400;

export const release: Command = {
  name: 'release',
  summary: 'make and show releases: which image machines are to boot from now on, signed',
  usage: `usage: viver release make NAME.sqfs --version N [--name LINE] [--expires DAYS|TIME] [--for WORDS]… [--now]
                          [--instead OLD.sqfs|NAME@sha256:HEX] [--secret FILE] [-o FILE.release]
       viver release show FILE.release [--key DIR] [--json]

make  writes NAME.release beside the image, whose chunk index must be there. viver roll makes releases by itself; this is
      for those made elsewhere, or kept beside the image on a medium.
      --version N     greater than that of every release of this name before: machines refuse older ones
      --name LINE     what is rolled out, the same for all its versions; without it the image's name
      --expires       after so many days, default ${DEFAULT_DAYS}, or at 2026-12-27T16:40:00Z: nobody takes it up after that
      --for WORDS     whom it is for: all (the default), host:NAME, mac:MAC (both with * and ?), role:NAME, share:10%.
                      Of several words in one --for all must fit ('role:class share:10%'), of several --for one
      --now           machines that run another image change at once, not when they are started the next time
      --instead       what machines boot that it is not for, and those that fail with it
      --secret FILE   signs it by this secret key of minisign -G. Its password, if it has one, is asked for at the
                      terminal, or is the first line of standard input
show  says what is in a release. It is not checked who signed it, unless by
      --key DIR       one of the public keys DIR/*.pub must have signed it
      --json          one object: {name, version, image: {name, id}, size, expires, isExpired, for: [[words]], when,
                      instead: {name, id} or null, signature: null or {keyId, trustedComment, keyPath}}; size in bytes,
                      keyPath only with --key
`,
  async run(args, signal) {
    const [action, path, values] = parseWords(args);
    if (action === 'make') await make(path, values, signal);
    else await show(path, values);
  },
};

type Values = ReturnType<typeof parseOptions>['values'];

const TAKES: Readonly<Record<string, readonly string[]>> = {
  make: ['version', 'name', 'expires', 'for', 'now', 'instead', 'secret', 'output'],
  show: ['key', 'json'],
};

function parseWords(args: readonly string[]): [action: string, path: string, values: Values] {
  const [action = '', ...rest] = args;
  if (!Object.hasOwn(TAKES, action))
    throw new UsageError(action === '' ? 'make or show wanted' : `no action '${action}'`);
  const { values, positionals } = parseOptions(rest);
  for (const option of Object.keys(values))
    if (TAKES[action]?.includes(option) !== true) throw new UsageError(`${action} takes no --${option}`);
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw new UsageError(`${action} takes one file`);
  return [action, path, values];
}

function parseOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        version: { type: 'string' },
        name: { type: 'string' },
        expires: { type: 'string' },
        for: { type: 'string', multiple: true },
        now: { type: 'boolean' },
        instead: { type: 'string' },
        secret: { type: 'string' },
        output: { type: 'string', short: 'o' },
        key: { type: 'string' },
        json: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function make(path: string, values: Values, signal: AbortSignal): Promise<void> {
  const { name: imageName } = imagePaths(path);
  const { version: versionText = '', name = imageName, output, secret, now = false } = values;
  const version = /^[1-9]\d{0,15}$/.test(versionText) ? Number(versionText) : 0;
  if (!Number.isSafeInteger(version) || version === 0) throw new UsageError('--version takes a whole number from 1');
  if (!isImageName(name)) throw new UsageError(`--name: '${name}' is no name: letters, digits and ._+~- only`);
  const whom = parseWhom(values.for);
  const expiresSeconds = parseExpiry(values.expires);
  const instead = values.instead === undefined ? undefined : await pinnedOf(values.instead);
  const image = await pinnedOf(path);
  const { size } = await sizeOf(path);
  const body = encodeRelease({
    ...{ name, version, image, sizeBytes: size, expiresSeconds },
    ...{ for: whom, when: now ? 'now' : 'reboot' },
    ...(instead === undefined ? {} : { instead }),
  });
  const text = secret === undefined ? body : signRelease(body, await unlocked(secret, signal));
  const file = output ?? join(dirname(path), imageName + RELEASE_SUFFIX);
  await writeWhole(file, text);
  const signed = parseRelease(text).signature;
  const by = signed === undefined ? 'not signed' : `signed by key ${signed.keyId}`;
  process.stdout.write(`${file}: ${name} ${version}, ${by}, until ${formatTime(expiresSeconds)}\n`);
}

/** @throws UsageError */
export function parseWhom(lines: readonly string[] = ['all']): readonly (readonly ReleaseWord[])[] {
  try {
    return lines.map((line) =>
      line
        .split(/[ ,]+/)
        .filter((word) => word !== '')
        .map(parseWord),
    );
  } catch (error) {
    throw new UsageError(`--for: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** @throws UsageError */
export function parseExpiry(text = String(DEFAULT_DAYS)): number {
  const days = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : undefined;
  if (days !== undefined) return (sourceDate() ?? Math.floor(Date.now() / 1000)) + days * DAY_SECONDS;
  try {
    return parseTime(text);
  } catch (error) {
    throw new UsageError(`--expires: ${error instanceof Error ? error.message : String(error)}, and no number of days`);
  }
}

/** An image by its file and the index beside it, or by its name and id. */
export async function pinnedOf(text: string): Promise<PinnedImage> {
  if (text.endsWith(IMAGE_SUFFIX)) {
    const { name, index } = imagePaths(text);
    return { name, id: (await readIndexFile(index)).id };
  }
  const { name, id } = parseImageReference(text);
  if (id === undefined) throw new UsageError(`'${text}' is neither a file ${IMAGE_SUFFIX} nor NAME@sha256:HEX`);
  return { name, id };
}

/** The image's size, the same by itself and by its index. */
async function sizeOf(path: string): Promise<{ readonly size: number }> {
  await using file = await openImage(path);
  const { index: indexPath } = imagePaths(path);
  const { size } = await readIndexFile(indexPath);
  if (size !== file.size)
    throw new Error(`${indexPath} is of an image of ${size} bytes, ${basename(path)} has ${file.size}`);
  return { size };
}

/** @throws Error when it cannot be read or is no release; the path is in the message */
export async function readReleaseFile(path: string): Promise<ReadRelease> {
  try {
    return parseRelease((await regularFileBytes(path, RELEASE_LIMIT_BYTES)).toString('utf8'));
  } catch (cause) {
    throw new Error(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

async function show(path: string, { key, json = false }: Values): Promise<void> {
  const read = await readReleaseFile(path);
  const { release: said, signature } = read;
  const signer = key === undefined ? undefined : verifyRelease(read, await readPublicKeys(key));
  const expired = isExpired(said, Date.now() / 1000);
  if (json) {
    const { name, version, image, sizeBytes, expiresSeconds, when, instead = null } = said;
    const signed =
      signature === undefined
        ? null
        : {
            keyId: signature.keyId,
            trustedComment: signature.trustedComment,
            ...(signer === undefined ? {} : { keyPath: signer.path }),
          };
    const facts = { name, version, image, size: sizeBytes, expires: formatTime(expiresSeconds), isExpired: expired };
    process.stdout.write(`${JSON.stringify({ ...facts, for: said.for, when, instead, signature: signed })}\n`);
    return;
  }
  const by =
    signature === undefined
      ? 'not signed'
      : signer === undefined
        ? `signed by key ${signature.keyId}, not checked (--key DIR)`
        : `signed by key ${signature.keyId} (${signer.path})`;
  process.stdout.write(`${read.body}${by}\n${expired ? 'it has expired: no machine takes it up any more\n' : ''}`);
}
