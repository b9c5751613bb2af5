import { setTimeout as sleep } from 'node:timers/promises';
import { askStatus } from '../../field/control.ts';
import type { FieldStatus } from '../../field/status.ts';
import { DEFAULT_PORT } from '../../field/wire.ts';
import { keptProgram } from '../kept-program.ts';
import { FIELD_SOCKET } from '../places.ts';
import { definePlugin } from '../plugin.ts';
import { supervise } from '../supervised.ts';

const POLL_MS = 250;

async function statusOrNothing(): Promise<FieldStatus | undefined> {
  return await askStatus(FIELD_SOCKET).catch(() => undefined);
}

export default definePlugin({
  name: 'field',
  summary: 'gives the image of this machine to others (V-FIELD): the daemon /init left, or one of its own',
  provides: ['field'],
  requires: ['address'],
  async start(context) {
    const { machine, signal } = context;
    const network = await context.ask('address').network();
    const left = await statusOrNothing();
    if (left !== undefined) {
      context.log(`the daemon of the boot serves ${left.image.name} at ${left.node.address}`);
    } else {
      const { image } = machine;
      if (image?.path === undefined) throw new Error('no image on a medium of this machine, and no daemon answers');
      const { command, args } = keptProgram('/init');
      const isViver = args.length > 0;
      if (!isViver) throw new Error('no initramfs was kept: the field daemon is in it');
      await supervise(context, {
        name: 'viver field up',
        command,
        args: [
          ...args,
          ...['field', 'up', '--image', image.path],
          ...['--listen', `${network.address}:${DEFAULT_PORT}`, '--control', FIELD_SOCKET],
        ],
        graceMs: 15_000,
        onLine: (line) => context.log(line.replace(/^viver field: /, '')),
      });
      while ((await statusOrNothing()) === undefined) await sleep(POLL_MS, undefined, { signal });
    }
    return { field: { status: () => askStatus(FIELD_SOCKET) } };
  },
});
