import { parseArgs } from 'node:util';
import { type Command, UsageError } from './command.ts';
import { COMPRESSIONS, isCompression } from './initrd/compress.ts';
import { DEFAULT_LEVEL, makeInitrd } from './initrd/make-initrd.ts';
import { withCountedProgress } from './progress.ts';

const HIGHEST_LEVEL = 22;

export const initrd: Command = {
  name: 'initrd',
  summary: 'make the initrd for a kernel',
  usage: `usage: viver initrd -o FILE [--kernel VERSION] [--root TREE] [--compress zstd|gzip|xz|none] [--level N]
                    [--firmware TREE]… [--add DIR]… [--first-stage FILE] [--json]

Makes VIVER's initrd (viverrd): /init, its programs, and the drivers that a machine may need to find its image. The lists
of modules and firmware are files to be edited, in the directory initrd of the kit or of a checkout.

-o FILE             the initrd; appears whole or not at all
--kernel VERSION    as in uname -r; without it the newest kernel that TREE has modules of
--root TREE         the root whose lib/modules and lib/firmware are taken; without it /
--compress HOW      zstd unless given; xz needs the program xz
--level N           of zstd, 1 to ${HIGHEST_LEVEL}, default ${DEFAULT_LEVEL}
--firmware TREE     one more tree with lib/firmware
--add DIR           lay the contents of DIR over the initrd: keys in DIR/etc/viver/keys, a program in DIR/bin
--first-stage FILE  also make what machines with Secure Boot on load first when they boot by network
--json              {kernel, path, size, modules, firmwareFiles, memoryMiB} on standard output

The same inputs give the same bytes. Times are 1970 or SOURCE_DATE_EPOCH. No root is needed.
`,
  async run(args, signal) {
    const { values, positionals } = parseWords(args);
    const { output, compress = 'zstd', level = String(DEFAULT_LEVEL), json = false } = values;
    if (positionals.length > 0) throw new UsageError(`'${positionals[0]}' is one word too many`);
    if (output === undefined) throw new UsageError('-o FILE is missing');
    if (!isCompression(compress))
      throw new UsageError(`--compress: '${compress}' is none of ${COMPRESSIONS.join(', ')}`);
    if (!/^\d+$/.test(level) || Number(level) < 1 || Number(level) > HIGHEST_LEVEL) {
      throw new UsageError(`--level: '${level}' is no whole number from 1 to ${HIGHEST_LEVEL}`);
    }
    const made = await withCountedProgress('modules', (onProgress) =>
      makeInitrd({
        tree: values.root ?? '/',
        ...(values.kernel === undefined ? {} : { kernel: values.kernel }),
        output,
        ...(values['first-stage'] === undefined ? {} : { firstStage: values['first-stage'] }),
        compression: compress,
        level: Number(level),
        firmware: values.firmware ?? [],
        overlays: values.add ?? [],
        signal,
        onProgress,
      }),
    );
    const { kernel, sizeBytes: size, modules, firmwareFiles, memoryMib: memoryMiB, keyArchive, otherKey } = made;
    if (keyArchive !== undefined) {
      const line = `the field's key is not in ${output}, which is served, but in ${keyArchive}, for boot media`;
      process.stderr.write(`viver initrd: ${line}\n`);
    }
    if (otherKey !== undefined) {
      const line = `${otherKey} is of an earlier initrd, and viver iso --boot takes it along: remove it if it is not meant`;
      process.stderr.write(`viver initrd: ${line}\n`);
    }
    if (json) {
      process.stdout.write(`${JSON.stringify({ kernel, path: output, size, modules, firmwareFiles, memoryMiB })}\n`);
    } else {
      const parts = `${modules} modules and ${firmwareFiles} firmware files of ${kernel}`;
      process.stdout.write(`${output}: ${size} bytes, ${parts}; a machine needs ${memoryMiB} MiB to boot it\n`);
    }
  },
};

function parseWords(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        output: { type: 'string', short: 'o' },
        kernel: { type: 'string' },
        root: { type: 'string' },
        compress: { type: 'string' },
        level: { type: 'string' },
        firmware: { type: 'string', multiple: true },
        add: { type: 'string', multiple: true },
        'first-stage': { type: 'string' },
        json: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
