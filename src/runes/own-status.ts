import { readFileSync } from 'node:fs';
import { hostname, uptime } from 'node:os';
import type { FieldStatus } from '../field/status.ts';
import type { FieldStrip } from '../field/strip.ts';
import { hasCode } from '../linux/errno.ts';
import type { Network } from './engine/interfaces.ts';
import type { Machine } from './machine.ts';
import { LONGEST_TEXT, type MachineStatus } from './machine-status.ts';
import { RUN_DIRECTORY } from './places.ts';
import { VERSION } from './version.ts';

interface BootReport {
  readonly medium?: string;
  readonly seconds?: number;
  readonly stages?: readonly { readonly name: string; readonly startMs: number; readonly endMs: number }[];
}

/** What /init says of the boot; null: nothing, as in a container. */
export function readBoot(path = `${RUN_DIRECTORY}/boot.json`): MachineStatus['boot'] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
  const { medium = '', seconds = 0, stages = [] } = JSON.parse(text) as BootReport;
  return { medium, seconds, stages: stages.map(({ name, startMs, endMs }) => ({ name, startMs, endMs })) };
}

/** What changes while the machine runs. */
export type LiveStatus = Pick<
  MachineStatus,
  | 'role'
  | 'canServe'
  | 'secureBoot'
  | 'dhcp'
  | 'tftp'
  | 'load'
  | 'refused'
  | 'plugins'
  | 'loading'
  | 'images'
  | 'rolls'
  | 'health'
>;

/** What it is made of. */
export interface OwnFacts {
  readonly machine: Machine;
  /** Known sooner or later, also for an image without an index of its own. */
  readonly imageId: string | undefined;
  readonly network: Network;
  readonly field: FieldStatus | undefined;
  readonly strip: FieldStrip | undefined;
}

/** This machine's status, but for what it moved lately. */
export function ownStatus(
  { machine, imageId, network, field, strip }: OwnFacts,
  live: LiveStatus,
  report?: string,
): Omit<MachineStatus, 'rates'> {
  const { image } = machine;
  const known = image ?? field?.image;
  return {
    version: 1,
    viver: VERSION,
    hostname: hostname(),
    address: network.address,
    mac: network.mac,
    booted: machine.booted,
    image: known === undefined ? null : { name: known.name, id: imageId ?? known.id ?? null },
    field: field ?? null,
    strip: strip ?? null,
    uptimeSeconds: Math.round(uptime()),
    boot: readBoot(report),
    ...live,
    // what programs say at their end may be long, and made of what strangers sent
    plugins: live.plugins.map((plugin) => ({ ...plugin, why: plugin.why?.slice(0, LONGEST_TEXT) })),
  };
}
