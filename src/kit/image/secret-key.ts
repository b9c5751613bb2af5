import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { MINISIGN_FILE_LIMIT } from '../../image/minisign.ts';
import { type MinisignSecret, parseMinisignSecret } from '../../image/minisign-secret.ts';
import { regularFileBytes } from '../../linux/file.ts';

/**
 * The secret key in a file of minisign's; a password is asked for where it has one.
 * @throws Error when it cannot be used; the path is in the message
 */
export async function unlocked(path: string, signal: AbortSignal): Promise<MinisignSecret> {
  const text = (await regularFileBytes(path, MINISIGN_FILE_LIMIT)).toString('utf8');
  try {
    const file = parseMinisignSecret(text);
    return file.unlock(file.needsPassword ? await askPassword(path, signal) : undefined);
  } catch (cause) {
    throw new Error(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Of a terminal without showing it; otherwise the first line of standard input, as minisign reads it. */
async function askPassword(path: string, signal: AbortSignal): Promise<string> {
  const terminal = process.stdin.isTTY === true;
  if (terminal) process.stderr.write(`Password of ${path}: `);
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output, terminal });
  try {
    for await (const line of lines) {
      signal.throwIfAborted();
      return line;
    }
    throw new Error('no password on standard input');
  } finally {
    lines.close();
    if (terminal) process.stderr.write('\n');
  }
}
