import { randomUUID } from 'node:crypto';
import { type Stats, statSync } from 'node:fs';

/**
 * A name beside `output` under which it is made, before it takes its place by rename. No two commands have the same one:
 * a second command for the same output must not write into the first one's file.
 * @param inputs files that it is made of
 * @throws Error when a rename would put a file in the place of a device or directory, or of an input
 */
export function partialName(output: string, inputs: readonly string[] = []): string {
  const there = look(output);
  if (there !== undefined && !there.isFile())
    throw new Error(`${output} is no file: what is made there would take its place. To write to a disk: viver stick`);
  const same = inputs.find((path) => isSame(look(path), there));
  if (same !== undefined) throw new Error(`${output} is ${same} itself, which it is made of: give it another name`);
  return `${output}.part-${randomUUID().slice(0, 8)}`;
}

const look = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false });

/** Whether both are one file, by whatever names. */
export function isSame(one: Stats | undefined, other: Stats | undefined): boolean {
  return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
}
