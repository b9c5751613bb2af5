import { setTimeout as sleep } from 'node:timers/promises';
import { askStatus, askStrip, tellPeer } from '../../field/control.ts';
import { INDEX_IS_MADE } from '../../field/control-words.ts';
import type { FieldStatus } from '../../field/status.ts';
import { DEFAULT_PORT } from '../../field/wire/protocol.ts';
import { type Context, definePlugin } from '../engine/plugin.ts';
import { lookAfter, startProgram } from '../engine/supervised.ts';
import { isDaemonThere, ownField } from '../own-field.ts';
import { FIELD_SOCKET } from '../places.ts';

const POLL_MS = 250;
const ANSWER_MS = 110_000;
/** An image without an index is read as a whole first: 8 GB from a DVD take half an hour. */
const INDEXING_MS = 7_200_000;

async function statusOrNothing(): Promise<FieldStatus | undefined> {
  return await askStatus(FIELD_SOCKET).catch(() => undefined);
}

/** @returns whether it has an index to make, so far */
async function startOwn(context: Context<'address' | 'early-field'>, address: string): Promise<() => boolean> {
  const listen = `${address}:${DEFAULT_PORT}`;
  const options = ownField(context.machine, listen);
  const early = context.has('early-field') ? await context.ask('early-field').take() : undefined;
  const program = early ?? (await startProgram(options));
  let isIndexing = false;
  lookAfter(context, program, {
    ...options,
    onLine: (line) => {
      isIndexing ||= line.includes(INDEX_IS_MADE);
      context.log(line.replace(/^viver field: /, ''));
    },
  });
  early?.child.stdin?.end(`${listen}\n`);
  return () => isIndexing;
}

export default definePlugin({
  name: 'field',
  summary: 'gives the image of this machine to others (V-FIELD): the daemon /init left, or one of its own',
  provides: ['field'],
  requires: ['address'],
  uses: ['early-field'],
  startTimeoutMs: INDEXING_MS,
  async start(context) {
    const { address } = await context.ask('address').network();
    let status = await statusOrNothing();
    const endMs = performance.now() + ANSWER_MS;
    const isIndexing = status === undefined && !isDaemonThere() ? await startOwn(context, address) : () => false;
    while (status === undefined) {
      if (performance.now() > endMs && !isIndexing())
        throw new Error(`the field daemon has not answered at ${FIELD_SOCKET} in ${ANSWER_MS / 1000} s`);
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
