import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { parseArgs } from 'node:util';
import { MODPROBE_PATHS, readModuleIndex } from '../hardware/module-directory.ts';
import type { ModuleIndex } from '../hardware/module-index.ts';
import { type Command, UsageError } from './command.ts';

/** One answer a line: `MODALIAS<TAB>module module …`, nothing after the tab when no module matches. */
export function explainModaliases(input: string, index: ModuleIndex): string {
  const lines = input.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => `${line}\t${index.lookup(line).join(' ')}\n`).join('');
}

export const explain: Command = {
  name: 'explain',
  summary: 'each device, the driver it wants, and why, without loading anything',
  usage: `usage: viver explain [--json] [--modules DIR]
       viver explain --modules DIR --modalias -

Without --modalias: this machine's devices, what drives them and why.
  --json           the same as JSON
  --modules DIR    look in this /lib/modules/VERSION directory, not the running kernel's
  --config PATH    a modprobe.d directory or file instead of the system's; may be repeated
  --modalias -     answer each modalias on standard input by a line 'MODALIAS<TAB>module module …'
  --modalias NAME  answer this one
`,
  async run(args) {
    let values: {
      readonly json?: boolean;
      readonly modules?: string;
      readonly config?: string[];
      readonly modalias?: string;
    };
    try {
      ({ values } = parseArgs({
        args: [...args],
        options: {
          json: { type: 'boolean' },
          modules: { type: 'string' },
          config: { type: 'string', multiple: true },
          modalias: { type: 'string' },
        },
      }));
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message : String(error));
    }
    const directory = values.modules ?? `/lib/modules/${release()}`;
    const index = readModuleIndex(directory, { configPaths: values.config ?? MODPROBE_PATHS });
    if (values.modalias === undefined) throw new UsageError('--modalias wanted');
    const input = values.modalias === '-' ? readFileSync(0, 'latin1') : values.modalias;
    process.stdout.write(Buffer.from(explainModaliases(input, index), 'latin1'));
    for (const problem of index.problems) process.stderr.write(`viver explain: ${problem}\n`);
  },
};
