import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { askProfile } from '../field/control.ts';
import { mergeProfiles } from '../image/profile/merge.ts';
import { drawProfile } from '../image/profile/picture.ts';
import { type BootProfile, PROFILE_BYTES_LIMIT, parseProfile, printProfile } from '../image/profile/profile.ts';
import { regularFileBytes } from '../linux/file.ts';
import { type Command, UsageError } from './command.ts';

const SOCKET = '/run/viver/field.sock';

export const profile: Command = {
  name: 'profile',
  summary: 'what a boot reads of its image, and in which order: record, show, merge',
  usage: `usage: viver profile record [-o NAME.profile] [--control PATH]
       viver profile show [NAME.profile] [--control PATH]
       viver profile merge NAME.profile… -o NAME.profile

record   what this machine has read of the image since it was started, as the daemon has seen it: until 20 s went by
         without anything new, and 5 minutes at most. Without -o it goes to standard output. On a machine that runs from a
         medium: what of the image has come into the kernel's page cache
show     draws it: the image from top left to bottom right, each place as dark as it was read early. Without a file: of
         this boot
merge    many boots of one image as one profile
--control: without it the daemon that started this machine, ${SOCKET}

Beside the image (NAME.profile, and by viver chunk store on a web server) it lets machines fetch ahead what a boot will
read: viver field up --profile FILE.
`,
  async run(args) {
    const [action, ...rest] = args;
    const { values, positionals: files } = words(rest);
    const { output, control = SOCKET } = values;
    switch (action) {
      case 'record':
        if (files.length > 0) throw new UsageError(`record takes no '${files[0]}'`);
        return await give(await ofDaemon(control), output);
      case 'show': {
        const [file, more] = files;
        if (more !== undefined || output !== undefined) throw new UsageError('show takes one file');
        process.stdout.write(drawProfile(file === undefined ? await ofDaemon(control) : await ofFile(file)));
        return;
      }
      case 'merge':
        if (files.length === 0 || output === undefined) throw new UsageError('merge takes files, and -o');
        return await give(mergeProfiles(await Promise.all(files.map(ofFile))), output);
      default:
        throw new UsageError(action === undefined ? 'record, show or merge wanted' : `no action '${action}'`);
    }
  },
};

function words(args: readonly string[]) {
  const options = { output: { type: 'string', short: 'o' }, control: { type: 'string' } } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function ofDaemon(control: string): Promise<BootProfile> {
  const text = await askProfile(control);
  if (text === undefined) throw new Error(`the daemon at ${control} has recorded nothing`);
  return parseProfile(text);
}

/** @throws Error that names the file */
export async function ofFile(path: string): Promise<BootProfile> {
  try {
    return parseProfile((await regularFileBytes(path, PROFILE_BYTES_LIMIT)).toString('utf8'));
  } catch (cause) {
    throw new Error(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

async function give(result: BootProfile, output: string | undefined): Promise<void> {
  if (output === undefined) process.stdout.write(printProfile(result));
  else await writeFile(output, printProfile(result));
}
