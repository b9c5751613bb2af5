/**
 * A machine's status as Prometheus reads it (text format 0.0.4), names by its conventions: base units, `_total` for what
 * only grows. Judged by `promtool check metrics` in test/long/metrics.test.ts.
 */
import type { FieldStatus } from '../../field/status.ts';
import type { MachineStatus } from '../machine-status.ts';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [Labels, number];

interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** Peers with counters of their own: those with the most traffic. The others are in the sums. */
const PEERS_LIMIT = 100;

export function formatMetrics(status: MachineStatus): string {
  const metrics = [...ofMachine(status), ...(status.field === null ? [] : ofField(status.field))];
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .map(
      ({ name, type, help, samples }) =>
        `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.map((sample) => line(name, sample)).join('')}`,
    )
    .join('');
}

function line(name: string, [labels, value]: Sample): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function gauge(name: string, help: string, ...samples: readonly (Sample | number)[]): Metric {
  return { name: `viver_${name}`, type: 'gauge', help, samples: samples.map(toSample) };
}

function counter(name: string, help: string, ...samples: readonly (Sample | number)[]): Metric {
  return { name: `viver_${name}_total`, type: 'counter', help, samples: samples.map(toSample) };
}

function toSample(sample: Sample | number): Sample {
  return typeof sample === 'number' ? [{}, sample] : sample;
}

function ofMachine({
  hostname,
  role,
  booted,
  image,
  uptimeSeconds,
  boot,
  canServe,
  dhcp,
  tftp,
  load,
  refused,
  plugins,
  viver,
  loading,
}: MachineStatus): Metric[] {
  const machine: Sample = [
    { version: viver ?? '', hostname, role, booted, image: image?.name ?? '', image_id: image?.id ?? '' },
    1,
  ];
  return [
    gauge('machine_info', 'What this machine is, in labels; always 1.', machine),
    gauge('uptime_seconds', 'Seconds since the kernel started.', uptimeSeconds),
    gauge(
      'boot_seconds',
      'Seconds from the start of the kernel to the root.',
      ...(boot === null ? [] : [boot.seconds]),
    ),
    gauge('boot_server_ready', 'Whether this machine has the kernel and initrd that others boot by.', Number(canServe)),
    gauge(
      'dhcp_mode',
      'What the DHCP of this machine does: 1 at the mode it is in.',
      ...(dhcp === null ? [] : [[{ mode: dhcp.mode }, 1] as const]),
    ),
    counter('tftp_files_sent', 'Boot loaders sent by TFTP.', ...(tftp === null ? [] : [tftp.sent])),
    counter('tftp_requests_refused', 'TFTP requests refused.', ...(tftp === null ? [] : [tftp.refused])),
    gauge('loading_machines', 'Machines that load from this one now.', loading.length),
    gauge('boot_file_transfers', 'Kernels and initrds being sent by HTTP now.', load.transfers),
    counter('boot_file_sent_bytes', 'Bytes of kernels and initrds sent by HTTP.', load.sentBytes),
    counter(
      'http_requests_refused',
      'HTTP requests that were not served, by what was wrong with them.',
      ...Object.entries(refused).map(([reason, count]) => [{ reason }, count] as const),
    ),
    gauge(
      'plugin_running',
      'Whether a plugin of the role runs.',
      ...plugins.map(({ name, state }) => [{ plugin: name }, Number(state === 'running')] as const),
    ),
  ];
}

function ofField({ image, node, peers, redundancy, traffic, store, shutOut, limits, refused }: FieldStatus): Metric[] {
  const volume = (peer: Peer): number => peer.traffic.from + peer.traffic.to;
  const met = peers
    .filter((peer) => volume(peer) + peer.traffic.rejected > 0)
    .sort((left, right) => volume(right) - volume(left))
    .slice(0, PEERS_LIMIT);
  const perPeer = (value: (peer: Peer) => number | null): Sample[] =>
    met.flatMap((peer) => {
      const found = value(peer);
      return found === null ? [] : [[{ peer: peer.id, address: peer.address }, found] as const];
    });
  const ofStore = (what: 'waitingBytes' | 'passedOver'): number[] => (store === null ? [] : [store[what]]);
  const limited = ([direction, rate]: readonly [string, number | null]): Sample[] =>
    rate === null ? [] : [[{ direction }, rate]];
  return [
    gauge('field_image_bytes', 'Size of the image.', image.size),
    gauge('field_image_chunks', 'Chunks of the image.', image.chunks),
    gauge('field_held_chunks', 'Chunks of the image that this node holds.', node.held),
    gauge('field_peers', 'Other nodes of the field that this node knows.', peers.length),
    gauge('field_copies_min', 'How many nodes hold the rarest chunk, as far as this node knows.', redundancy.min),
    gauge('field_copies_mean', 'How many nodes hold a chunk in the mean, as far as this node knows.', redundancy.mean),
    counter(
      'field_received_bytes',
      'Bytes of chunks that came, by where from.',
      [{ source: 'peer' }, traffic.fromPeers],
      [{ source: 'medium' }, traffic.fromMedium],
      [{ source: 'origin' }, traffic.fromOrigin],
    ),
    counter('field_sent_bytes', 'Bytes of chunks sent to peers.', traffic.toPeers),
    counter('field_rejected_bytes', 'Bytes that came and were false or no part of the protocol.', traffic.rejected),
    gauge('field_shut_out_nodes', 'Nodes that are shut out now.', shutOut.length),
    gauge(
      'field_store_waiting_bytes',
      'Bytes of chunks that wait for the disk of the store.',
      ...ofStore('waitingBytes'),
    ),
    counter(
      'field_store_passed_over_chunks',
      'Chunks that were not kept since that disk is slow.',
      ...ofStore('passedOver'),
    ),
    gauge('field_refused_prefixes', 'Addresses and prefixes that a person has this node refuse.', refused.length),
    gauge(
      'field_limit_bytes_per_second',
      'What this node may send and fetch a second, where that is limited.',
      ...limited(['up', limits.up]),
      ...limited(['down', limits.down]),
    ),
    ...PER_PEER.map(({ of, name, help, value }) => of(`field_peer_${name}`, help, ...perPeer(value))),
  ];
}

type Peer = FieldStatus['peers'][number];

/** What is said of each peer; null: not known. */
const PER_PEER: readonly {
  readonly of: typeof counter;
  readonly name: string;
  readonly help: string;
  readonly value: (peer: Peer) => number | null;
}[] = [
  {
    of: counter,
    name: 'received_bytes',
    help: 'Bytes of chunks that came from a peer.',
    value: (peer) => peer.traffic.from,
  },
  { of: counter, name: 'sent_bytes', help: 'Bytes of chunks sent to a peer.', value: (peer) => peer.traffic.to },
  {
    of: counter,
    name: 'rejected_bytes',
    help: 'Bytes from a peer that were false.',
    value: (peer) => peer.traffic.rejected,
  },
  {
    of: gauge,
    name: 'round_trip_seconds',
    help: 'Round trip time to a peer.',
    value: ({ rttMs }) => (rttMs === null ? null : rttMs / 1000),
  },
];
