import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Device, readAllDevices } from '../hardware/device.ts';
import {
  chosenModules,
  describeLack,
  type FirmwareLack,
  firmwareBelow,
  lackingFirmware,
  readNamedFirmware,
} from '../hardware/firmware.ts';
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

function explainDevice({ want, what, device, choices }: PlannedWant, lacks: readonly FirmwareLack[]): string[] {
  const driver = device?.driver === undefined ? '' : `, driven by ${device.driver}`;
  const rows = choices.map(({ module, verdict, reason }) => `    ${VERDICTS[verdict]} ${module}: ${reason}`);
  const mine = lacks.filter(({ module }) => choices.some((choice) => choice.module === module));
  return [
    `${want.replace(/^\/devices\//, '')}: ${what}${driver}`,
    ...(device?.modaliases ?? []).map((modalias) => `    ${modalias}`),
    ...(rows.length > 0 ? rows : ['    no module of this kernel is for it']),
    ...mine.map((lack) => `    firmware ${describeLack(lack)}`),
  ];
}

/** Each device, its driver, every module that matches and what becomes of it; then what would be loaded, in order. */
export function explainPlan(plan: ModulePlan, lacks: readonly FirmwareLack[] = []): string {
  const devices = plan.wants.filter(
    ({ device, choices }) => choices.length > 0 || (device?.modaliases.length ?? 0) > 0,
  );
  const modules = plan.modules.map(
    ({ name, parameters, reason }) => `    ${[name, parameters].join(' ').trimEnd()}: ${reason}`,
  );
  return [
    ...devices.flatMap((want) => explainDevice(want, lacks)),
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
  const chosen = chosenModules(plan.wants, ['load', 'deferred']);
  // A tree of modules elsewhere has its own lib/firmware beside it.
  const root = words.modules === undefined ? '/' : join(words.modules, '../../..');
  const has = firmwareBelow((path) => join(root, path), basename(index.directory));
  const firmware = lackingFirmware(chosen, readNamedFirmware(index, chosen), has);
  if (words.json !== true) return explainPlan(plan, firmware);
  const { wants, modules } = plan;
  const report = { kernel: release(), directory: index.directory, devices: wants, modules, firmware };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

export const explain: Command = {
  name: 'explain',
  summary: 'each device, the driver it wants, and why, without loading anything',
  usage: `usage: viver explain [--json] [--modules DIR] [--config PATH]…
       viver explain --modalias - [--modules DIR] [--config PATH]…

Without --modalias: this machine's devices, what drives them, and why; and which firmware their drivers name that is
not there.
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
