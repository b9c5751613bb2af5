import { setTimeout as sleep } from 'node:timers/promises';
import { askStatus, askStrip, tellPeer } from '../../field/control.ts';
import type { FieldStatus } from '../../field/status.ts';
import { DEFAULT_PORT } from '../../field/wire/protocol.ts';
import { type Context, definePlugin } from '../engine/plugin.ts';
import { lookAfter, startProgram } from '../engine/supervised.ts';
import { isDaemonThere, ownField } from '../own-field.ts';
import { FIELD_SOCKET } from '../places.ts';

const POLL_MS = 250;

async function statusOrNothing(): Promise<FieldStatus | undefined> {
  return await askStatus(FIELD_SOCKET).catch(() => undefined);
}

async function startOwn(context: Context<'address' | 'early-field'>, address: string): Promise<void> {
  const listen = `${address}:${DEFAULT_PORT}`;
  const options = ownField(context.machine, listen);
  const early = context.has('early-field') ? await context.ask('early-field').take() : undefined;
  const program = early ?? (await startProgram(options));
  lookAfter(context, program, {
    ...options,
    onLine: (line) => context.log(line.replace(/^viver field: /, '')),
  });
  early?.child.stdin?.end(`${listen}\n`);
}

export default definePlugin({
  name: 'field',
  summary: 'gives the image of this machine to others (V-FIELD): the daemon /init left, or one of its own',
  provides: ['field'],
  requires: ['address'],
  uses: ['early-field'],
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
