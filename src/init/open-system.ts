import { mkdirSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { tooOld } from '../linux/kernel-version.ts';
import { type BootLog, REPORT_DIRECTORY, type StageDone } from './boot-log.ts';
import { type BootOptions, parseCommandLine } from './command-line.ts';
import { runningKernel } from './drivers/image-modules.ts';
import { BootFailure } from './failing/failure.ts';
import { warnOfLittleMemory } from './memory.ts';
import { mountPseudoFileSystems } from './pseudo-file-systems.ts';
import { closeFieldKey } from './source/field-daemon.ts';
import { leaveLast, takeUp } from './take-up.ts';
import { POLICY_FILE } from './trust/policy.ts';
import { enforcePolicy, readPolicy } from './trust/policy-file.ts';
import { makePrivateDirectory } from './trust/private-directory.ts';

/** Stage `filesystems`: the kernel's file systems, the consoles, and what the command line asks for. */
export function openSystem(log: BootLog): StageDone<BootOptions> {
  // libuv reads it once, before its first file operation off this thread: four disks that hang must not stop a fifth.
  process.env.UV_THREADPOOL_SIZE = '16';
  const again = leaveLast();
  mountPseudoFileSystems();
  mkdirSync(REPORT_DIRECTORY, { recursive: true });
  if (again !== undefined) takeUp(again);
  makePrivateDirectory();
  closeFieldKey();
  log.openConsoles();
  for (const word of enforcePolicy(readPolicy())) log.warn(`command line: ${word}: refused by ${POLICY_FILE}`);
  const options = parseCommandLine(readFileSync('/proc/cmdline', 'utf8'));
  log.debug = options.debug;
  log.quiet = options.quiet && !options.debug;
  for (const warning of options.warnings) log.warn(warning);
  const little = warnOfLittleMemory(totalmem());
  if (little !== undefined) log.warn(little);
  const why = tooOld(runningKernel());
  if (why !== undefined)
    throw new BootFailure(why, { tryThis: ['the kernel that was built beside this initrd (vmlinuz)'] });
  return { value: options, note: again !== undefined ? 'the kernel of the system before goes on' : '' };
}
