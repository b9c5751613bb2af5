import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { hasCode } from '../../../linux/errno.ts';

/** Packers, told by how their streams begin. Those that Node has none for are unpacked by their own programs. */
const PACKERS: readonly {
  readonly name: string;
  readonly magic: readonly number[];
  readonly stream?: () => NodeJS.ReadWriteStream & AsyncIterable<Buffer>;
  readonly program?: readonly [command: string, ...args: string[]];
}[] = [
  { name: 'gzip', magic: [0x1f, 0x8b], stream: createGunzip },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd], stream: createZstdDecompress },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], program: ['xz', '-dc', '-T0'] },
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68], program: ['bzip2', '-dc'] },
  { name: 'lz4', magic: [0x04, 0x22, 0x4d, 0x18], program: ['lz4', '-dc'] },
  { name: 'lzip', magic: [0x4c, 0x5a, 0x49, 0x50], program: ['lzip', '-dc'] },
  { name: 'compress', magic: [0x1f, 0x9d], program: ['gzip', '-dc'] },
];

/**
 * The stream unpacked, as far as it is packed. What unpacks it ends when the reader does.
 * @throws Error while it is read, naming `name` and the packer
 */
export async function* unpacked(input: Readable, name: string): AsyncGenerator<Uint8Array, void, void> {
  try {
    const start = await firstBytes(input);
    const packer = PACKERS.find(({ magic }) => magic.every((byte, i) => start[i] === byte));
    if (start.length < LONGEST_MAGIC) yield start;
    else if (packer === undefined) yield* input;
    else if (packer.stream !== undefined) yield* byStream(input, packer.stream(), name, packer.name);
    else if (packer.program !== undefined) yield* byProgram(input, packer.program, name, packer.name);
  } finally {
    input.destroy();
  }
}

const LONGEST_MAGIC = Math.max(...PACKERS.map(({ magic }) => magic.length));

/** Looks at the start of a stream and puts it back, unless it is all there is. A pipe may give it byte by byte. */
async function firstBytes(input: Readable): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of input.iterator({ destroyOnReturn: false })) {
    pieces.push(piece);
    length += piece.length;
    if (length >= LONGEST_MAGIC) break;
  }
  const start = Buffer.concat(pieces);
  if (length >= LONGEST_MAGIC) input.unshift(start);
  return start;
}

async function* byStream(
  input: Readable,
  unpacker: NodeJS.ReadWriteStream & AsyncIterable<Buffer>,
  name: string,
  packer: string,
): AsyncGenerator<Uint8Array, void, void> {
  // Errors come out of the iteration.
  pipeline(input, unpacker, () => undefined);
  try {
    yield* unpacker;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    throw /^(Z_|ZSTD_)/.test(code) ? new Error(`cannot unpack ${name} by ${packer}`, { cause }) : cause;
  }
}

async function* byProgram(
  input: Readable,
  [command, ...args]: readonly [string, ...string[]],
  name: string,
  packer: string,
): AsyncGenerator<Uint8Array, void, void> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-1000);
  });
  const ended = once(child, 'close').then(
    ([code]: unknown[]) => code,
    (cause: unknown) => {
      throw hasCode(cause, 'ENOENT')
        ? new Error(`${name} is packed by ${packer}, and the program ${command} is not installed`)
        : cause;
    },
  );
  ended.catch(() => undefined); // told below, when all it gave was read
  let feedError: Error | undefined;
  pipeline(input, child.stdin, (error) => {
    // A program that ended before its input did says why itself.
    if (error && !hasCode(error, 'EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE')) feedError = error;
  });
  let isDone = false;
  try {
    yield* child.stdout;
    const code = await ended;
    isDone = true;
    if (feedError !== undefined) throw feedError;
    if (code !== 0) throw new Error(`cannot unpack ${name} by ${packer}: ${words.trim().split('\n').at(-1) ?? ''}`);
  } finally {
    if (!isDone) child.kill();
  }
}
