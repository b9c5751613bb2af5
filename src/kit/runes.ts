import { appendFileSync } from 'node:fs';
import { printable } from '../codec/printable.ts';
import { hasCode } from '../linux/errno.ts';
import { KEPT_INITRAMFS } from '../root/switch.ts';
import { readFixedRole } from '../runes/engine/fixed-role.ts';
import { loadRunesOrBasics } from '../runes/engine/load.ts';
import { Runner } from '../runes/engine/runner.ts';
import { readMachine } from '../runes/machine.ts';
import { type Command, UsageError } from './command.ts';

/** printk.devkmsg=off keeps everybody out of it: what a plugin says is not worth its end. */
function toKernelLog(text: string): void {
  try {
    appendFileSync('/dev/kmsg', text);
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'EACCES')) throw error;
  }
}

/** One plugin's forgotten error is not the end of the others. */
const STRAY = ['uncaughtException', 'unhandledRejection'] as const;

export const runes: Command = {
  name: 'runes',
  summary: "runs the plugins of this machine's role (RUNES)",
  usage: `usage: viver runes [--kmsg]

Starts the plugins of this machine's role in the order of their need and stays until SIGTERM or SIGINT, which stop them
in reverse. A plugin that fails takes down only what needs it and is tried again. The init system of the booted machine
runs it. What would run and why: viver role --explain
  --kmsg  tells what it does in the kernel's log, for init systems without one of their own
`,
  async run(args, signal) {
    const [unexpected] = args.filter((word) => word !== '--kmsg');
    if (unexpected !== undefined) throw new UsageError(`unexpected '${unexpected}'`);
    const say = args.includes('--kmsg')
      ? // level info: kept for dmesg, and off the consoles of a quiet kernel
        (line: string) => toKernelLog(`<6>viver runes: ${printable(line)}\n`)
      : (line: string) => void process.stdout.write(`viver runes: ${printable(line)}\n`);
    const { machine, role, why, roles, graph, problems } = loadRunesOrBasics({
      machine: readMachine(),
      roots: [KEPT_INITRAMFS, ''],
      fixed: readFixedRole(),
    });
    for (const problem of problems) say(problem);
    say(`role ${role.name} (${why}): ${graph.order.map(({ name }) => name).join(', ')}`);
    const runner = new Runner({ graph, machine, role: role.name, settings: role.settings, roles, log: say });
    const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    const stray = (error: unknown): void => runner.stray(error);
    for (const event of STRAY) process.on(event, stray);
    // Plugins that only wait for others keep no process.
    const alive = setInterval(() => {}, 60_000);
    await Promise.race([runner.start(), ended]);
    if (!signal.aborted) {
      const down = runner.states.filter(({ state }) => state !== 'running');
      say(
        down.length === 0
          ? 'ready'
          : `ready but for ${down.map(({ name, why: reason }) => `${name} (${reason})`).join(', ')}`,
      );
    }
    await ended;
    await runner.stop();
    for (const event of STRAY) process.off(event, stray);
    clearInterval(alive);
  },
};
