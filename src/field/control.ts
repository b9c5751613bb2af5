import { chmodSync, existsSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import type { PreheatProgress } from './control-words.ts';
import type { FieldStatus } from './status.ts';
import type { FieldStrip } from './strip.ts';

/** A line of words goes in; one line of JSON comes out. */
const WORDS_LIMIT = 4096;
const ANSWER_LIMIT = 64 << 20;
const PATIENCE_MS = 10_000;

/** What a question may hold and how long its answer may take, where that is more than usual. */
export interface ControlLimits {
  readonly words?: number;
  readonly patienceMs?: number;
}

/**
 * Serves questions on a unix socket that only its owner may use. A socket left behind by a daemon that died is
 * replaced.
 * @throws the system's error when the path is not to be had
 */
export async function serveControl(
  path: string,
  answer: (words: string) => unknown,
  { words: mostWords = WORDS_LIMIT, patienceMs = PATIENCE_MS }: ControlLimits = {},
): Promise<Server> {
  if (existsSync(path) && !(await isServed(path))) unlinkSync(path);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.setTimeout(patienceMs, () => socket.destroy());
    let isAsked = false;
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('data', (part) => {
      text += String(part);
      if (text.length > mostWords) socket.destroy();
      else if (text.includes('\n') && !isAsked) {
        isAsked = true;
        Promise.try(answer, text.slice(0, text.indexOf('\n')))
          .catch((error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }))
          .then((given) => socket.end(`${JSON.stringify(given)}\n`));
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  // Who could not be taken, for want of memory, asks again.
  server.on('error', () => {});
  chmodSync(path, 0o600);
  return server;
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

/**
 * Asks the daemon behind a control socket for its status.
 * @throws Error when nobody answers there
 */
export async function askStatus(path: string): Promise<FieldStatus> {
  return (await ask(path, 'status')) as FieldStatus;
}

/** What the node's image was read like, as a boot profile's text; undefined: nothing is known of it. */
export async function askProfile(path: string): Promise<string | undefined> {
  const { profile } = (await ask(path, 'profile')) as { readonly profile?: string };
  return profile;
}

/** Asks it what it holds along the image. @throws Error when nobody answers there */
export async function askStrip(path: string): Promise<FieldStrip> {
  return (await ask(path, 'strip')) as FieldStrip;
}

/** The chunk index of its image, as in a .caibx file; undefined as long as it does not know it. */
export async function askIndex(path: string): Promise<Uint8Array | undefined> {
  const { index } = (await ask(path, 'index')) as { index: string | null };
  return index === null ? undefined : Buffer.from(index, 'base64');
}

/** What the node sends and fetches at most, as `parseLimits` reads it. @param limits set these first */
export async function askLimits(path: string, limits?: string): Promise<string> {
  return ((await ask(path, limits === undefined ? 'limit' : `limit ${limits}`)) as { limit: string }).limit;
}

/** Whom it refuses, after these were added or taken back. */
export async function askRefused(
  path: string,
  change: 'refuse' | 'admit',
  prefixes: readonly string[],
): Promise<readonly string[]> {
  return ((await ask(path, [change, ...prefixes].join(' '))) as { refused: readonly string[] }).refused;
}

/** Has it fetch all of the image, and asks how far it is. */
export async function askPreheat(path: string): Promise<PreheatProgress> {
  return (await ask(path, 'preheat')) as PreheatProgress;
}

/** Tells it that others begin to boot from this machine: what is read of the image from now on is not its own boot's. */
export async function tellOthersBoot(path: string): Promise<void> {
  await ask(path, 'others boot');
}

/** Tells it of another node of its field, `ADDRESS:PORT`. */
export async function tellPeer(path: string, peer: string): Promise<void> {
  await ask(path, `join ${peer}`);
}

const ask = (path: string, words: string): Promise<unknown> => askControl(path, words, 'field daemon', PATIENCE_MS);

/**
 * Asks whoever serves a control socket.
 * @param who is expected to answer there, for the error
 * @throws Error when nobody answers there, or what they say cannot be done
 */
export async function askControl(path: string, words: string, who: string, patienceMs: number): Promise<unknown> {
  const answer = await askOnce(path, words, who, patienceMs);
  const isError = typeof answer === 'object' && answer !== null && 'error' in answer;
  if (isError) throw new Error(String(answer.error));
  return answer;
}

function askOnce(path: string, words: string, who: string, patienceMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('no answer')));
    socket.once('connect', () => socket.write(`${words}\n`));
    socket.on('error', (cause) => reject(new Error(`no ${who} answers at ${path}`, { cause })));
    socket.on('data', (part) => {
      text += String(part);
      if (text.length > ANSWER_LIMIT) socket.destroy(new Error('answer without end'));
    });
    socket.on('end', () => {
      try {
        resolve(JSON.parse(text));
      } catch (cause) {
        reject(new Error(`the ${who} at ${path} gave no answer`, { cause }));
      }
      socket.destroy();
    });
  });
}
