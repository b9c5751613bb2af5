import { isIPv4 } from 'node:net';
import type { DhcpMode } from '../engine/interfaces.ts';

/**
 * What the first machine of a cluster (the machines of one image) says at `/neighbour.json` to another cluster on the same
 * wire. Pure.
 */
export interface NeighbourWord {
  readonly version: 1;
  readonly address: string;
  readonly mac: string;
  readonly role: string;
  readonly mode: DhcpMode;
  readonly image: { readonly name: string; readonly id: string };
  /** Nodes of its field, `ADDRESS:PORT`. */
  readonly peers: readonly string[];
  /** Whose addresses are not to be given to others. */
  readonly machines: readonly { readonly mac: string; readonly address: string }[];
  /** First machines of other clusters that it knows: they hear of each other by the one that serves. */
  readonly others: readonly string[];
  /** MAC patterns of its roles file: these machines are to get its image. */
  readonly claims: readonly string[];
}

export const NEIGHBOUR_PATH = '/neighbour.json';
export const MOST_PEERS = 8;
export const MOST_MACHINES = 2048;
export const MOST_NEIGHBOURS = 16;
export const MOST_CLAIMS = 256;

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const CLAIM = /^[0-9a-f:*?]{1,40}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/;
const ID = /^[0-9a-f]{64}$/;
const MODES: readonly string[] = ['full', 'proxy', 'standby'] satisfies readonly DhcpMode[];

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown, shape: RegExp): value is string => typeof value === 'string' && shape.test(value);
const isListOf = (value: unknown, most: number, isOne: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length <= most && value.every(isOne);

function isNode(value: unknown): boolean {
  const [host = '', port, more] = typeof value === 'string' ? value.split(':') : [];
  return (
    isIPv4(host) && more === undefined && (port === undefined || (/^\d{1,5}$/.test(port) && Number(port) < 65_536))
  );
}

const isMachine = (value: unknown): boolean =>
  isRecord(value) && isText(value.mac, MAC) && typeof value.address === 'string' && isIPv4(value.address);

const PARTS: Readonly<Record<Exclude<keyof NeighbourWord, 'version' | 'address'>, (value: unknown) => boolean>> = {
  mac: (value) => isText(value, MAC),
  role: (value) => isText(value, /^[\w.+-]{1,128}$/),
  mode: (value) => typeof value === 'string' && MODES.includes(value),
  image: (value) => isRecord(value) && isText(value.name, NAME) && isText(value.id, ID),
  peers: (value) => isListOf(value, MOST_PEERS, isNode),
  machines: (value) => isListOf(value, MOST_MACHINES, isMachine),
  others: (value) => isListOf(value, MOST_NEIGHBOURS, (one) => typeof one === 'string' && isIPv4(one)),
  claims: (value) => isListOf(value, MOST_CLAIMS, (one) => isText(one, CLAIM)),
};

/**
 * @param host where it was asked: a word about another address than its own is not believed
 * @throws Error that names the part which is none
 */
export function parseNeighbour(text: string, host: string): NeighbourWord {
  const value: unknown = JSON.parse(text);
  if (!isRecord(value) || value.version !== 1) throw new Error('no neighbour of version 1');
  if (value.address !== host) throw new Error(`a neighbour at ${host} that says it is elsewhere`);
  for (const [name, check] of Object.entries(PARTS)) if (!check(value[name])) throw new Error(`neighbour: bad ${name}`);
  return value as unknown as NeighbourWord;
}
