import { DEFAULT_PORT } from '../../../src/field/wire/protocol.ts';
import { HTTP_PORT } from '../../../src/runes/places.ts';
import { flowOf } from './frame.ts';

/** What a frame is part of, by what a machine that boots over the network speaks. */
export const TRAFFIC_KINDS = ['dhcp', 'tftp', 'http', 'field', 'other'] as const;
export type TrafficKind = (typeof TRAFFIC_KINDS)[number];

const DHCP_PORTS = [67, 68, 4011];
const TFTP_PORT = 69;
/** The daemons of other images that a machine gives listen on the ports after its field's own. */
const isFieldPort = (port: number): boolean => port >= DEFAULT_PORT && port < HTTP_PORT;

/**
 * Tells frames apart. TFTP's data comes from any port to the one that asked (RFC 1350, section 4), and HTTP is
 * spoken on any port: who asked is remembered.
 */
export class TrafficClassifier {
  readonly #tftpClients = new Set<string>();
  readonly #httpServers = new Set<string>();

  kindOf(frame: Buffer): TrafficKind {
    const flow = flowOf(frame);
    if (flow === undefined || flow.protocol === 'other') return 'other';
    if ([flow.fromPort, flow.toPort].some(isFieldPort)) return 'field';
    const from = `${flow.from}:${flow.fromPort}`;
    const to = `${flow.to}:${flow.toPort}`;
    if (flow.protocol === 'udp') {
      if (DHCP_PORTS.includes(flow.toPort)) return 'dhcp';
      if (flow.toPort === TFTP_PORT) this.#tftpClients.add(from);
      return this.#tftpClients.has(from) || this.#tftpClients.has(to) ? 'tftp' : 'other';
    }
    const words = frame.toString('latin1', flow.payloadAt, flow.payloadAt + 5);
    if (/^(GET |HEAD )/.test(words)) this.#httpServers.add(to);
    return this.#httpServers.has(from) || this.#httpServers.has(to) ? 'http' : 'other';
  }
}

export type Bytes = Readonly<Record<TrafficKind, number>>;
export const noBytes = (): Record<TrafficKind, number> => ({ dhcp: 0, tftp: 0, http: 0, field: 0, other: 0 });

/** Bytes from each port of a switch to each other one, by kind. */
export class TrafficMeter {
  readonly #classifier = new TrafficClassifier();
  readonly #between = new Map<string, Map<string, Record<TrafficKind, number>>>();

  count(frame: Buffer, from: string, to: readonly string[]): void {
    const kind = this.#classifier.kindOf(frame);
    for (const name of to) {
      const sources = this.#between.get(name) ?? new Map<string, Record<TrafficKind, number>>();
      this.#between.set(name, sources);
      const bytes = sources.get(from) ?? noBytes();
      sources.set(from, bytes);
      bytes[kind] += frame.length;
    }
  }

  /** What `to` was sent, by who sent it. */
  receivedBy(to: string): ReadonlyMap<string, Bytes> {
    return this.#between.get(to) ?? new Map();
  }

  /** Of one kind, from everybody. */
  total(to: string, kind: TrafficKind): number {
    return [...this.receivedBy(to).values()].reduce((sum, bytes) => sum + bytes[kind], 0);
  }
}
