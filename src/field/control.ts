import { chmodSync, existsSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import type { FieldStatus } from './status.ts';
import type { FieldStrip } from './strip.ts';

/** A word and a newline go in; one line of JSON comes out. */
const WORD_LIMIT = 64;
const ANSWER_LIMIT = 64 << 20;
const PATIENCE_MS = 10_000;

/**
 * Serves questions on a unix socket that only its owner may use. A socket left behind by a daemon that died is
 * replaced.
 * @throws the system's error when the path is not to be had
 */
export async function serveControl(path: string, answer: (word: string) => unknown): Promise<Server> {
  if (existsSync(path) && !(await isServed(path))) unlinkSync(path);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('data', (part) => {
      text += String(part);
      if (text.length > WORD_LIMIT) socket.destroy();
      else if (text.includes('\n')) socket.end(`${JSON.stringify(answer(text.slice(0, text.indexOf('\n'))))}\n`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
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

/** Asks it what it holds along the image. @throws Error when nobody answers there */
export async function askStrip(path: string): Promise<FieldStrip> {
  return (await ask(path, 'strip')) as FieldStrip;
}

function ask(path: string, word: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer')));
    socket.once('connect', () => socket.write(`${word}\n`));
    socket.on('error', (cause) => reject(new Error(`no field daemon answers at ${path}`, { cause })));
    socket.on('data', (part) => {
      text += String(part);
      if (text.length > ANSWER_LIMIT) socket.destroy(new Error('answer without end'));
    });
    socket.on('end', () => {
      try {
        resolve(JSON.parse(text));
      } catch (cause) {
        reject(new Error(`the daemon at ${path} gave no status`, { cause }));
      }
      socket.destroy();
    });
  });
}
