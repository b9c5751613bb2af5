import { readdirSync, readFileSync } from 'node:fs';
import { formatLimits, parseLimits } from '../field/shares/limits.ts';
import { hasCode } from '../linux/errno.ts';
import type { SupervisedOptions } from './engine/supervised.ts';
import { fieldKeyWords, keptProgram } from './kept-program.ts';
import { type Machine, wordOf } from './machine.ts';
import { FIELD_SOCKET } from './places.ts';

/** The daemon that /init left, or its supervisor: they are called so (src/init/source/field-daemon.ts). */
const DAEMON_NAME = '@viver-field';

/** Whether /init has left a field daemon that gives this machine's image to others. */
export function isDaemonThere(): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'latin1').startsWith(DAEMON_NAME);
    } catch (error) {
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return false; // it has ended
      throw error;
    }
  });
}

/** /init has warned of one that is none. */
function limitOf(commandLine: string): string | undefined {
  const word = wordOf(commandLine, 'viver.limit');
  try {
    return word === undefined ? undefined : formatLimits(parseLimits(word));
  } catch {
    return undefined;
  }
}

/**
 * The field daemon of a machine that boots from a medium: how it is started.
 * @param listen `ADDRESS:PORT`, or `-`: it is told by its standard input
 * @throws Error when this machine's image lies on no medium, or no initramfs was kept
 */
export function ownField({ image, commandLine }: Machine, listen: string): SupervisedOptions {
  const limit = limitOf(commandLine);
  const site = wordOf(commandLine, 'viver.site');
  if (image?.path === undefined) throw new Error('no image on a medium of this machine, and no daemon answers');
  const { command, args } = keptProgram('/init');
  if (args.length === 0) throw new Error('no initramfs was kept: the field daemon is in it');
  return {
    name: 'viver field up',
    command,
    args: [
      ...args,
      ...['field', 'up', '--image', image.path, '--name', image.name],
      ...['--listen', listen, '--control', FIELD_SOCKET],
      ...(limit === undefined ? [] : ['--limit', limit]),
      ...(site === undefined ? [] : ['--site', site]),
      ...fieldKeyWords(),
    ],
    // it hands over what only it holds
    graceMs: 15_000,
  };
}
