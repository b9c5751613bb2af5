import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { printable } from '../codec/printable.ts';
import { type Command, UsageError } from './command.ts';
import { prepareIso } from './iso/iso-stream.ts';
import { showProgress } from './progress.ts';
import { planStick } from './stick/stick-plan.ts';
import { openTarget, readDisk } from './stick/target.ts';
import { writeStick } from './stick/write-stick.ts';

export const stick: Command = {
  name: 'stick',
  summary: 'write images to a stick or disk that boots them',
  usage: `usage: viver stick IMAGE… DEVICE [--yes] [--any-disk] [--new] [--boot DIR]

Writes images with their boot loader to a disk, reads all of it back, and leaves the rest of the disk to the changes that
viver.cow=keep keeps there. Called again for the same disk it writes the new images and leaves those changes as they are.

IMAGE…       NAME.sqfs, as for viver iso
DEVICE       a whole disk, /dev/sdX; or a file of the size of one
--yes        do not ask
--any-disk   take a disk that cannot be taken out of the machine, too
--new        throw away the changes that are kept on it
--boot DIR   kernel and initrd are DIR/vmlinuz and DIR/viverrd.zst; without it those in each image (/boot)

Disks that are in use (mounted, swap, part of a RAID or LVM) and partitions are refused. What will be done is said and has
to be answered with yes.
`,
  async run(args, signal) {
    const { values, positionals } = parseWords(args);
    const device = positionals.at(-1);
    const images = positionals.slice(0, -1);
    if (device === undefined || images.length === 0) throw new UsageError('IMAGE and DEVICE are wanted');
    const target = openTarget(device, values['any-disk'] ?? false);
    const boot = values.boot === undefined ? {} : { boot: values.boot };
    await using ready = await prepareIso({ images, ...boot, signal, tell: (line) => say(printable(line)) });
    const plan = named(device, () => planStick(readDisk(target), ready.sizeBytes, values.new ?? false));
    say(`${device}: ${target.description}, ${megabytes(target.sizeBytes)}`);
    say(`${megabytes(ready.sizeBytes)} are written to it: ${ready.names.join(', ')}, with boot loader`);
    for (const note of plan.notes) say(note);
    if (values.yes !== true) await ask(device, signal);
    const writing = showProgress('write');
    const checking = showProgress('check');
    const warnings = await writeStick({
      target,
      plan,
      chunks: ready.chunks(),
      isoBytes: ready.sizeBytes,
      onWritten: writing.update,
      onChecked: checking.update,
      signal,
    }).finally(checking.end);
    for (const line of warnings) say(line);
    process.stdout.write(`${device}: boots ${ready.names.join(', ')}\n`);
  },
};

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
const say = (line: string): void => void process.stderr.write(`viver stick: ${line}\n`);

function named<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new Error(path, { cause });
  }
}

async function ask(device: string, signal: AbortSignal): Promise<void> {
  if (!process.stdin.isTTY) throw new Error(`${device} is not written to: nobody can be asked here; --yes says yes`);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`Write to ${device}? (yes/no) `, { signal });
    if (answer.trim() !== 'yes') throw new Error(`${device} is not written to: the answer was not yes`);
  } finally {
    lines.close();
  }
}

function parseWords(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        yes: { type: 'boolean' },
        'any-disk': { type: 'boolean' },
        new: { type: 'boolean' },
        boot: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
