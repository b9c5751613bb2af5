import { readdirSync, readFileSync } from 'node:fs';
import { parseModprobeConfig } from '../../hardware/modprobe-config.ts';
import { readModuleIndex } from '../../hardware/module-directory.ts';
import { type ModuleIndex, moduleIndex } from '../../hardware/module-index.ts';
import { BOOT_CONFIG } from '../../hardware/requested-modules.ts';
import { describeError } from '../../linux/describe-error.ts';

export interface OwnModules {
  readonly index: ModuleIndex;
  /** Why there are none for the running kernel, in one line; what is built into it goes on. */
  readonly problem: string | undefined;
}

/** Where a kernel and its modules come from; a test gives its own. */
export interface ModulePlaces {
  /** As `uname -r`. */
  readonly running: string;
  readonly directory: string;
  readonly cmdline: string;
}

export function modulePlaces(): ModulePlaces {
  return {
    running: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
    directory: '/lib/modules',
    cmdline: readFileSync('/proc/cmdline', 'utf8'),
  };
}

/** The modules that this initrd has for the running kernel. Never throws: without them the boot tries what is built in. */
export function openOwnModules({ running, directory, cmdline }: ModulePlaces): OwnModules {
  try {
    const index = readModuleIndex(`${directory}/${running}`, { cmdline, config: [BOOT_CONFIG] });
    return { index, problem: undefined };
  } catch (error) {
    const have = kernelsOf(directory);
    const none = { directory: `${directory}/${running}`, text: () => undefined, bytes: () => undefined };
    return {
      index: moduleIndex(none, parseModprobeConfig([], [])),
      problem: have.includes(running) ? describeError(error) : explainMissing(running, have),
    };
  }
}

/** @param have the kernels that the initrd has modules for */
export function explainMissing(running: string, have: readonly string[]): string {
  const others = have.length === 0 ? 'no modules at all' : `modules of ${have.join(', ')}`;
  return `the kernel that runs is ${running}, this initrd has ${others}: only what is built into the kernel is driven; vmlinuz and viverrd must be of one build`;
}

function kernelsOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return []; // no directory: no modules
  }
}
