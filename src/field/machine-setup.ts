import { createHmac, randomBytes } from 'node:crypto';
import { wiresOf } from './edge/wires.ts';
import type { MachineOptions } from './machine-options.ts';
import type { FieldNodeOptions } from './node-options.ts';
import { NO_LIMITS } from './shares/limits.ts';
import { formatAddress } from './wire/address.ts';
import type { NodeId } from './wire/record.ts';

/** What a node on sockets adds to its options: who it is in this life, and what it found when it opened them. */
export interface NodeSetup {
  readonly node: NodeId;
  readonly life: number;
  /** The port it listens on. */
  readonly port: number;
  readonly multicast: boolean;
  readonly mustBeSigned: boolean;
  readonly isRefused: (host: string) => boolean;
}

/** The machine of a node on sockets. */
export function machineOptions(options: FieldNodeOptions, setup: NodeSetup): MachineOptions {
  const { port, ...rest } = setup;
  const secret = randomBytes(16);
  return {
    ...rest,
    field: options.id.slice(0, 16),
    address: formatAddress(options.listen.host, port),
    peers: options.peers,
    random: Math.random,
    cookie: (address) => createHmac('sha256', secret).update(address).digest().subarray(0, 8),
    keep: options.keep,
    fill: true,
    readsFirst: options.readsFirst ?? false,
    hasOrigin: (options.origins?.count ?? 0) > 0,
    limits: options.limits ?? NO_LIMITS,
    room: options.room ?? 0,
    isLocal: wiresOf(),
  };
}
