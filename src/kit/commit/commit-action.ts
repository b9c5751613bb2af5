import { imagePaths } from '../../image/image-reference.ts';
import { SquashfsImage } from '../../squashfs/squashfs-image.ts';
import { type CreatedReport, type CreateWords, runCreate } from '../create/create-action.ts';
import { readEarlierImage } from '../create/earlier-image.ts';
import { type Given, giveImage } from './give-image.ts';
import { readRunningImage } from './running-image.ts';
import { withoutWritten } from './without-written.ts';

/** Of what `viver image create` takes, what `commit` takes as well. */
export const COMMIT_OPTIONS = ['with', 'exclude', 'include', 'excludes', 'no-excludes', 'kernel', 'viverrd'] as const;

const say = (line: string): void => void process.stderr.write(`viver image: ${line}\n`);

/**
 * `viver image commit`: an image of the running system as it is now, laid out as the one that it runs, and given to the
 * field.
 * @param isGiven to the field, when this machine takes part in one
 * @throws Error when this machine runs no image, or as runCreate does
 */
export async function runCommit(
  output: string,
  words: CreateWords,
  {
    level,
    signal,
    isGiven,
  }: { readonly level: number | undefined; readonly signal: AbortSignal; readonly isGiven: boolean },
): Promise<CreatedReport & { readonly givenAt: string | undefined }> {
  if (process.getuid?.() !== 0) throw new Error('an image of the running system needs root: sudo viver image commit');
  const { device, name, index, written } = await readRunningImage(signal, say);
  using lower = new SquashfsImage(device);
  const earlier = await readEarlierImage(device, signal, { index, name: `the running ${name}` });
  const made = await runCreate('/', output, words, {
    level,
    signal,
    earlier,
    change: (entries, rules) =>
      withoutWritten(entries, {
        root: '/',
        written,
        lower,
        omits: (path, isDirectory) => rules.of(path, isDirectory)?.what === 'drop',
      }),
  });
  const given = isGiven ? await giveImage(output, signal) : undefined;
  if (isGiven) for (const line of describeGiven(output, given)) say(line);
  return { ...made, givenAt: given?.address };
}

/** What a person should know of where the image can be had. */
export function describeGiven(output: string, given: Given | undefined): readonly string[] {
  if (given === undefined) return [`${output} is given to nobody: this machine takes part in no field`];
  const { address, isOffered, why } = given;
  const at = `${output} is given to the field at ${address}, until this machine is switched off`;
  const { name } = imagePaths(output);
  if (isOffered) return [`${at}; to try it on a machine, on the boot server: viver roll try ${name} --on HOST`];
  return why === '' ? [at] : [at, `no machine can boot it from here: ${why}`];
}
