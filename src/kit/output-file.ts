import { randomUUID } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync, rmSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeError } from '../linux/describe-error.ts';

/** What a killed command left is not touched any more; what another machine writes to the same folder is. */
const STALE_MS = 600_000;

/**
 * A name beside `output` under which it is made, before it takes its place by rename. No two commands have the same one:
 * a second command for the same output must not write into the first one's file. What commands that were killed left
 * under such names goes.
 * @param inputs files that it is made of
 * @throws Error when nothing can be made there, or a rename would put a file in the place of a device or directory, or of
 *   an input
 */
export function partialName(output: string, inputs: readonly string[] = []): string {
  const there = look(output);
  if (there !== undefined && !there.isFile())
    throw new Error(`${output} is no file: what is made there would take its place. To write to a disk: viver stick`);
  const same = inputs.find((path) => isSame(look(path), there));
  if (same !== undefined) throw new Error(`${output} is ${same} itself, which it is made of: give it another name`);
  requireFolder(output);
  removeStale(output);
  return `${output}.part-${process.pid}-${randomUUID().slice(0, 8)}`;
}

/** @throws Error when no file can be made where `output` is to be */
export function requireFolder(output: string): void {
  const folder = dirname(output);
  try {
    if (!statSync(folder).isDirectory()) throw new Error(`${folder} is no directory`);
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new Error(`cannot make ${output}`, { cause });
  }
}

function removeStale(output: string): void {
  const folder = dirname(output);
  const own = `${basename(output)}.part-`;
  for (const name of readdirSync(folder).filter((each) => each.startsWith(own))) {
    const [, pid] = /^(\d+)-[0-9A-Za-z]+$/.exec(name.slice(own.length)) ?? [];
    const path = join(folder, name);
    const found = look(path);
    if (pid === undefined || found === undefined || existsSync(`/proc/${pid}`)) continue;
    if (Date.now() - found.mtimeMs < STALE_MS) continue;
    try {
      rmSync(path, { recursive: true, force: true });
    } catch (error) {
      process.stderr.write(`viver: ${path} of a command that was killed stays: ${describeError(error)}\n`);
    }
  }
}

const look = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false });

/** Whether both are one file, by whatever names. */
export function isSame(one: Stats | undefined, other: Stats | undefined): boolean {
  return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
}
