import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseShutdownVerb, shutDown, shutdownSystem } from '../root/shutdown.ts';
import { type Command, UsageError } from './command.ts';

/** Written by every boot of VIVER's: a machine without it runs from elsewhere and is not ours to end. */
const BOOT_REPORT = '/run/viver/boot.json';

/**
 * Whether this machine is ours to end.
 * @throws Error that says why not
 */
export function checkMayEnd(hasReport: boolean, user: number | undefined): void {
  if (!hasReport) throw new Error(`no ${BOOT_REPORT}: this machine was not booted by VIVER and is not ended`);
  if (user !== 0) throw new Error('only root ends the machine: sudo viver shutdown');
}

/** What the image's own init is asked by, the first that is there. It stops the services; VIVER's hooks do the rest. */
const INIT_TOOLS: readonly { readonly when: string; readonly command: (verb: string) => readonly string[] }[] = [
  { when: '/run/systemd/system', command: (verb) => ['systemctl', verb] },
  { when: '/sbin/openrc-shutdown', command: (verb) => ['openrc-shutdown', `--${verb}`, 'now'] },
  {
    when: '/run/initctl',
    command: (verb) => ['shutdown', verb === 'reboot' ? '-r' : verb === 'halt' ? '-hH' : '-hP', 'now'],
  },
];

/** How the init of this machine is asked to end it; undefined: none that is known runs. Pure. */
export function initCommand(verb: string, exists: (path: string) => boolean): readonly string[] | undefined {
  return INIT_TOOLS.find(({ when }) => exists(when))?.command(verb);
}

export const shutdown: Command = {
  name: 'shutdown',
  summary: 'end this machine cleanly, whatever init it runs',
  usage: `usage: viver shutdown [poweroff|reboot|halt|kexec] [--now]

Asks the init of this machine to end it, poweroff unless another word is given; its disks are left clean. Where no known
init runs, and with --now, VIVER does it itself: it ends all processes, unmounts everything and ends the machine.
`,
  async run(args) {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { now: { type: 'boolean' } } });
    const [verb = 'poweroff', ...more] = positionals;
    if (more.length > 0) throw new UsageError(`one word wanted, not ${positionals.join(' ')}`);
    const end = parseShutdownVerb(verb);
    checkMayEnd(existsSync(BOOT_REPORT), process.getuid?.());
    const command = values.now === true ? undefined : initCommand(verb, existsSync);
    if (command === undefined) {
      await shutDown(
        end,
        shutdownSystem((line) => void process.stdout.write(`viver: shutdown: ${line}\n`)),
      );
      return;
    }
    const [program = '', ...words] = command;
    const { status, error } = spawnSync(program, words, { stdio: 'inherit' });
    if (status !== 0)
      throw new Error(
        `${command.join(' ')}: ${error?.message ?? `exit status ${status}`}; viver shutdown ${verb} --now does it without`,
      );
  },
};
