import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { askStatus, askStrip, tellPeer } from '../../field/control.ts';
import { formatLimits, parseLimits } from '../../field/shares/limits.ts';
import type { FieldStatus } from '../../field/status.ts';
import { DEFAULT_PORT } from '../../field/wire/protocol.ts';
import { hasCode } from '../../linux/errno.ts';
import { type Context, definePlugin } from '../engine/plugin.ts';
import { supervise } from '../engine/supervised.ts';
import { fieldKeyWords, keptProgram } from '../kept-program.ts';
import { wordOf } from '../machine.ts';
import { FIELD_SOCKET } from '../places.ts';

const POLL_MS = 250;
/** The daemon that /init left, or its supervisor: they are called so (src/init/source/field-daemon.ts). */
const DAEMON_NAME = '@viver-field';

async function statusOrNothing(): Promise<FieldStatus | undefined> {
  return await askStatus(FIELD_SOCKET).catch(() => undefined);
}

function isDaemonThere(): boolean {
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

async function startOwn(context: Context<'address'>, address: string): Promise<void> {
  const { image, commandLine } = context.machine;
  const limit = limitOf(commandLine);
  const site = wordOf(commandLine, 'viver.site');
  if (image?.path === undefined) throw new Error('no image on a medium of this machine, and no daemon answers');
  const { command, args } = keptProgram('/init');
  if (args.length === 0) throw new Error('no initramfs was kept: the field daemon is in it');
  await supervise(context, {
    name: 'viver field up',
    command,
    args: [
      ...args,
      ...['field', 'up', '--image', image.path, '--name', image.name],
      ...['--listen', `${address}:${DEFAULT_PORT}`, '--control', FIELD_SOCKET],
      ...(limit === undefined ? [] : ['--limit', limit]),
      ...(site === undefined ? [] : ['--site', site]),
      ...fieldKeyWords(),
    ],
    // it hands over what only it holds
    graceMs: 15_000,
    onLine: (line) => context.log(line.replace(/^viver field: /, '')),
  });
}

export default definePlugin({
  name: 'field',
  summary: 'gives the image of this machine to others (V-FIELD): the daemon /init left, or one of its own',
  provides: ['field'],
  requires: ['address'],
  async start(context) {
    const { address } = await context.ask('address').network();
    let status = await statusOrNothing();
    if (status === undefined && !isDaemonThere()) await startOwn(context, address);
    while (status === undefined) {
      await sleep(POLL_MS, undefined, { signal: context.signal });
      status = await statusOrNothing();
    }
    context.log(`${status.image.name}@${status.image.id.slice(0, 12)} is given to others`);
    return {
      field: {
        status: () => askStatus(FIELD_SOCKET),
        strip: () => askStrip(FIELD_SOCKET),
        join: (peer) => tellPeer(FIELD_SOCKET, peer),
      },
    };
  },
});
