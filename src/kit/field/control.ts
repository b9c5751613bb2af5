import { setTimeout as sleep } from 'node:timers/promises';
import { askLimits, askPreheat, askRefused, askStatus } from '../../field/control.ts';
import { parseLimits } from '../../field/shares/limits.ts';
import { isPrefix } from '../../field/shares/refusals.ts';
import type { FieldStatus } from '../../field/status.ts';
import { UsageError } from '../command.ts';
import { withProgress } from '../progress.ts';
import { onlyTakes, type Values } from './words.ts';

const PREHEAT_ASK_MS = 500;
/** The daemon that /init left, as RUNES asks it too. */
const DEFAULT_SOCKET = '/run/viver/field.sock';

function socketOf({ control }: Values): string {
  return control ?? DEFAULT_SOCKET;
}

export async function status(values: Values, words: readonly string[]): Promise<void> {
  onlyTakes('status', values, 'control', 'json');
  if (words.length > 0) throw new UsageError(`status takes no '${words[0]}'`);
  const found = await askStatus(socketOf(values));
  process.stdout.write(values.json === true ? `${JSON.stringify(found)}\n` : describe(found));
}

export async function limit(values: Values, words: readonly string[]): Promise<void> {
  onlyTakes('limit', values, 'control');
  const [limits, more] = words;
  if (more !== undefined) throw new UsageError(`limit takes one UP[/DOWN], not '${more}' too`);
  try {
    if (limits !== undefined) parseLimits(limits);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  process.stdout.write(`${await askLimits(socketOf(values), limits)}\n`);
}

/** `refuse` without words only lists. */
export async function refuse(change: 'refuse' | 'admit', values: Values, words: readonly string[]): Promise<void> {
  onlyTakes(change, values, 'control');
  if (change === 'admit' && words.length === 0) throw new UsageError('admit needs ADDRESS[/LENGTH]');
  for (const text of words) if (!isPrefix(text)) throw new UsageError(`'${text}' is no ADDRESS or ADDRESS/LENGTH`);
  const refused = await askRefused(socketOf(values), change, words);
  process.stdout.write(refused.map((prefix) => `${prefix}\n`).join(''));
}

/** Returns when the node holds all; the daemon goes on when this is interrupted. */
export async function preheat(values: Values, words: readonly string[], signal: AbortSignal): Promise<void> {
  onlyTakes('preheat', values, 'control');
  if (words.length > 0) throw new UsageError(`preheat takes no '${words[0]}'`);
  const path = socketOf(values);
  const chunks = await withProgress('fetching', async (onProgress) => {
    for (;;) {
      const { held, chunks, size } = await askPreheat(path);
      if (chunks > 0) onProgress((size * held) / chunks, size);
      if (chunks > 0 && held === chunks) return chunks;
      await sleep(PREHEAT_ASK_MS, undefined, { signal });
    }
  });
  process.stdout.write(`all ${chunks} chunks are here\n`);
}

/** What is done with a web server now. */
const ORIGIN_STATES = {
  asked: 'is asked',
  resting: 'is left alone for a while',
  unknown: 'is not known by DNS',
} as const;

export function describe(of: FieldStatus): string {
  const { image, node, peers, redundancy, traffic, store, origins, shutOut, limits, refused } = of;
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const share = (held: number): string => `${held} of ${image.chunks} chunks`;
  const rate = (bytes: number | null): string => (bytes === null ? 'any number' : `${mb(bytes)} a second`);
  return [
    `image ${image.name}@${image.id.slice(0, 12)}, ${mb(image.size)}`,
    `node ${node.id} at ${node.address} holds ${share(node.held)}`,
    ...peers.map(
      ({ id, address, held, rttMs, traffic: { from, to } }) =>
        `peer ${id} at ${address} holds ${share(held)}${rttMs === null ? '' : `, ${rttMs} ms away`}${from + to === 0 ? '' : `; from it ${mb(from)}, to it ${mb(to)}`}`,
    ),
    ...origins.map(
      ({ name, state, bytes, rate: measured, fault }) =>
        `origin ${name} ${ORIGIN_STATES[state]}; ${mb(bytes)} came from it${measured === null ? '' : `, ${mb(measured)} a second`}${fault === null ? '' : `: ${fault}`}`,
    ),
    ...(store === null || store.waitingChunks + store.passedOver === 0
      ? []
      : [
          `store: ${mb(store.waitingBytes)} wait to be written${store.isBehind ? ', the disk is too slow for more' : ''}; not kept because of that: ${store.passedOver} chunks`,
        ]),
    ...(refused.length === 0 ? [] : [`refused: ${refused.join(' ')}`]),
    ...(limits.up === null && limits.down === null
      ? []
      : [`at most ${rate(limits.up)} sent and ${rate(limits.down)} fetched`]),
    ...shutOut.map(({ id, reason }) => `shut out: ${id} ${reason}`),
    `every chunk is held ${redundancy.min} times at least, ${redundancy.mean} times in the mean`,
    `from peers ${mb(traffic.fromPeers)}, from the medium ${mb(traffic.fromMedium)}, from origins ${mb(traffic.fromOrigin)}, to peers ${mb(traffic.toPeers)}, refused ${mb(traffic.rejected)}`,
    '',
  ].join('\n');
}
