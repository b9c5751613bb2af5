import { readFileSync, writeFileSync } from 'node:fs';
import { splitCommandLine } from '../../hardware/modprobe-config.ts';
import { hasCode } from '../../linux/errno.ts';
import { bindMount } from '../../linux/mount.ts';
import { applyPolicy, fits, NO_POLICY, nameOf, POLICY_FILE, type Policy, parsePolicy } from './policy.ts';

const COMMAND_LINE = '/proc/cmdline';
const OBEYED_COMMAND_LINE = '/run/viver/cmdline';

/**
 * The policy in this initrd; without the file there is none.
 * @throws Error that names the line that cannot be understood
 */
export function readPolicy(path = POLICY_FILE): Policy {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return NO_POLICY;
    throw error;
  }
  try {
    return parsePolicy(text);
  } catch (cause) {
    throw new Error(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Nobody gets a prompt by a policy that cannot be understood: it may forbid that. */
export function isPromptForbidden(): boolean {
  try {
    return readPolicy().prompt === 'forbidden';
  } catch {
    return true; // said by who needed it first
  }
}

/**
 * Puts the policy above the command line, for all who read it from now on: this process, the daemons, and the image's
 * init. /proc/cmdline then shows what is obeyed, and what the kernel made of the other words, arguments and environment
 * of its first process, goes.
 * @returns the words that are not obeyed
 */
export function enforcePolicy(policy: Policy): readonly string[] {
  const given = readFileSync(COMMAND_LINE, 'utf8').trim();
  const { commandLine, refused } = applyPolicy(policy, given);
  if (commandLine !== given) {
    writeFileSync(OBEYED_COMMAND_LINE, `${commandLine}\n`, { mode: 0o444 });
    bindMount(OBEYED_COMMAND_LINE, COMMAND_LINE);
  }
  const kept = new Set(splitCommandLine(commandLine));
  process.argv.splice(2, process.argv.length, ...process.argv.slice(2).filter((word) => kept.has(word)));
  for (const name of environmentOf(policy, given)) delete process.env[name];
  return refused;
}

/** Variables that came from the command line and may not: the kernel makes them of words that it does not know. */
function environmentOf(policy: Policy, commandLine: string): readonly string[] {
  if (policy.forbidden.length === 0) return [];
  return splitCommandLine(commandLine)
    .map(nameOf)
    .filter((name) => !fits(name, policy.allowed));
}
