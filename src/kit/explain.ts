import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { parseArgs } from 'node:util';
import { type Device, readAllDevices } from '../hardware/device.ts';
import { parseModprobeConfig } from '../hardware/modprobe-config.ts';
import { MODPROBE_PATHS, readModuleIndex } from '../hardware/module-directory.ts';
import { type ModuleIndex, moduleIndex } from '../hardware/module-index.ts';
import { type ModulePlan, type PlannedWant, planModules } from '../hardware/plan.ts';
import { BOOT_CONFIG } from '../hardware/requested-modules.ts';
import { sysTree } from '../hardware/sys-tree.ts';
import { type Command, UsageError } from './command.ts';

/** One answer a line: `MODALIAS<TAB>module module …`, nothing after the tab when no module matches. */
export function explainModaliases(input: string, index: ModuleIndex): string {
  const lines = input.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => `${line}\t${index.lookup(line).join(' ')}\n`).join('');
}

const VERDICTS = {
  load: 'load',
  builtin: 'built in',
  blacklisted: 'blacklisted',
  missing: 'missing',
  deferred: 'left to the image',
} as const;

function explainDevice({ want, what, device, choices }: PlannedWant): string[] {
  const driver = device?.driver === undefined ? '' : `, driven by ${device.driver}`;
  const rows = choices.map(({ module, verdict, reason }) => `    ${VERDICTS[verdict]} ${module}: ${reason}`);
  return [
    `${want.replace(/^\/devices\//, '')}: ${what}${driver}`,
    ...(device?.modaliases ?? []).map((modalias) => `    ${modalias}`),
    ...(rows.length > 0 ? rows : ['    no module of this kernel is for it']),
  ];
}

/** Each device, its driver, every module that matches and what becomes of it; then what would be loaded, in order. */
export function explainPlan(plan: ModulePlan): string {
  const devices = plan.wants.filter(
    ({ device, choices }) => choices.length > 0 || (device?.modaliases.length ?? 0) > 0,
  );
  const modules = plan.modules.map(
    ({ name, parameters, reason }) => `    ${[name, parameters].join(' ').trimEnd()}: ${reason}`,
  );
  return [
    ...devices.flatMap(explainDevice),
    `to be loaded, in this order (${plan.modules.length}):`,
    ...modules,
    '',
  ].join('\n');
}

interface Words {
  readonly json?: boolean;
  readonly modules?: string;
  readonly config?: string[];
  readonly modalias?: string;
}

function parseWords(args: readonly string[]): Words {
  try {
    return parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean' },
        modules: { type: 'string' },
        config: { type: 'string', multiple: true },
        modalias: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function warn(text: string): void {
  process.stderr.write(`viver explain: ${text}\n`);
}

/** A kernel without modules drives its devices all the same; asked for by name, a missing directory is an error. */
function indexOf(words: Words, cmdline: string): ModuleIndex {
  const directory = words.modules ?? `/lib/modules/${release()}`;
  try {
    const config = words.modalias === undefined ? [BOOT_CONFIG] : [];
    return readModuleIndex(directory, { configPaths: words.config ?? MODPROBE_PATHS, cmdline, config });
  } catch (error) {
    if (words.modules !== undefined || words.modalias !== undefined) throw error;
    warn(error instanceof Error ? error.message : String(error));
    const none = { directory, text: () => undefined, bytes: () => undefined };
    return moduleIndex(none, parseModprobeConfig([], []));
  }
}

function explainMachine(words: Words, devices: readonly Device[], index: ModuleIndex): string {
  const plan = planModules(devices, index, { weakdeps: true });
  if (words.json !== true) return explainPlan(plan);
  const { wants, modules } = plan;
  return `${JSON.stringify({ kernel: release(), directory: index.directory, devices: wants, modules }, undefined, 2)}\n`;
}

export const explain: Command = {
  name: 'explain',
  summary: 'each device, the driver it wants, and why, without loading anything',
  usage: `usage: viver explain [--json] [--modules DIR] [--config PATH]…
       viver explain --modalias - [--modules DIR] [--config PATH]…

Without --modalias: this machine's devices, what drives them, and why.
  --json           the same as JSON
  --modules DIR    a /lib/modules/VERSION directory instead of the running kernel's
  --config PATH    a modprobe.d directory or file instead of the system's; may be repeated
  --modalias -     answer each modalias on standard input by a line 'MODALIAS<TAB>module module …'
  --modalias NAME  answer this one
`,
  async run(args) {
    const words = parseWords(args);
    if (words.modalias !== undefined && words.json === true)
      throw new UsageError('--json and --modalias do not go together');
    if (words.modalias === undefined) {
      const index = indexOf(words, readFileSync('/proc/cmdline', 'latin1').trim());
      process.stdout.write(explainMachine(words, readAllDevices(sysTree()), index));
      for (const problem of index.problems) warn(problem);
      return;
    }
    const index = indexOf(words, '');
    const input = words.modalias === '-' ? readFileSync(0, 'latin1') : words.modalias;
    process.stdout.write(Buffer.from(explainModaliases(input, index), 'latin1'));
    for (const problem of index.problems) warn(problem);
  },
};
