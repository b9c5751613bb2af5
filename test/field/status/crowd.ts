/**
 * Machines of a field as another asks them: web servers on addresses of 127.0.0.0/8, in a process of their own. Started
 * by `startCrowd`; `node crowd.ts JSON` is that process, and ends when its standard input does.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { MachineStatus } from '../../../src/runes/machine-status.ts';
import { HTTP_PORT } from '../../../src/runes/places.ts';
import { WebServer } from '../../../src/runes/web/web-server.ts';

/**
 * `good`: answers. `silent`: takes the connection and says nothing. `drip`: a byte a second, for ever. `endless`: more
 * than anybody reads. `nonsense`: no status. `odd`: a status with one part that is none. `markup`: a status whose texts
 * are markup and control characters. `off`: nobody listens.
 */
export type PeerKind = 'good' | 'silent' | 'drip' | 'endless' | 'nonsense' | 'odd' | 'markup' | 'off';

export interface Peer {
  readonly address: string;
  readonly kind: PeerKind;
  readonly status: MachineStatus;
}

const CHUNKS = 3009;

/** A status as a machine of that number has it. */
export function simulatedStatus(number: number, address: string): MachineStatus {
  const share = number === 0 ? 1 : Math.min(1, 0.25 + ((number * 37) % 100) / 100);
  const held = Array.from({ length: 256 }, (_, part) =>
    (part * 7 + number * 13) % 256 < share * 256 ? '9' : '0',
  ).join('');
  const wave = (phase: number, most: number) =>
    Array.from({ length: 60 }, (_, i) => Math.round(most * Math.max(0, Math.sin(i / 9 + phase + number) ** 3)));
  const isServer = number === 0;
  return {
    version: 1,
    viver: '0.1.0',
    hostname: isServer ? 'teacher' : `pc-${number}`,
    role: isServer ? 'boot-server' : 'node',
    address,
    mac: `52:54:00:00:${(number >> 8).toString(16).padStart(2, '0')}:${(number & 255).toString(16).padStart(2, '0')}`,
    booted: isServer ? 'medium' : 'network',
    image: { name: 'debian', id: '0927a6bc09d4'.padEnd(64, '0') },
    canServe: true,
    secureBoot: null,
    dhcp: isServer
      ? { mode: 'full', why: 'no other machine is there; no other DHCP server answers here' }
      : { mode: 'standby', why: 'aaaa serves' },
    tftp: { sent: 3, refused: 0 },
    load: { transfers: isServer ? 2 : 0, sentBytes: 3e8 },
    refused: { escape: 0, unknown: 0, method: 0, broken: 0, limited: 0 },
    plugins: ['address', 'resolv', 'field', 'other-images', 'boot-loader', 'http', 'tftp', 'dhcp', 'no-router'].map(
      (name) => ({ name, state: number === 7 && name === 'dhcp' ? 'starting' : 'running', why: undefined }),
    ),
    field: {
      image: { id: '0927a6bc09d4'.padEnd(64, '0'), name: 'debian', size: 199_200_000, chunks: CHUNKS },
      node: { id: (number + 1).toString(16), address: `${address}:20070`, held: Math.floor(CHUNKS * share) },
      peers: [],
      redundancy: { min: 2, mean: 3.4 },
      traffic: { fromPeers: 2e8, fromMedium: isServer ? 2e8 : 0, fromOrigin: 0, toPeers: 1e8, rejected: 0 },
      origins: [],
      store: null,
      shutOut: [],
      limits: { up: null, down: null },
      refused: [],
    },
    strip: {
      held,
      copies: [],
      ...(isServer ? { read: { parts: '9900610'.padEnd(256, '0'), boots: 3, chunks: 301 } } : {}),
    },
    uptimeSeconds: 100 + number * 61,
    boot: { medium: isServer ? 'usb' : 'net', seconds: 14.5 + (number % 5), stages: [] },
    rates: { everySeconds: 5, in: wave(0, 9e6), out: wave(2, 4e6) },
    loading: [],
    images: [],
    rolls: [],
    health: null,
  };
}

/** The machine that looks, with the others as its field's peers. */
export function looker(peers: readonly Peer[], loading: MachineStatus['loading'] = []): MachineStatus {
  const status = simulatedStatus(0, '10.86.0.1');
  if (status.field === null) return status;
  const rows = peers.map(({ address }, i) => ({
    id: (i + 2).toString(16),
    address: `${address}:20070`,
    held: 9,
    rttMs: 1,
    traffic: { from: 0, to: 0, rejected: 0 },
  }));
  const copies = Array.from({ length: 256 }, (_, part) => 2 + (part % 3));
  const min = peers.length === 0 ? 1 : 2;
  return {
    ...status,
    field: { ...status.field, peers: rows, redundancy: { min, mean: peers.length === 0 ? 1 : 3.4 } },
    strip: { ...status.strip, held: '9'.repeat(256), copies: peers.length === 0 ? copies.map(() => 1) : copies },
    loading,
  };
}

export function simulatedPeers(kinds: readonly PeerKind[]): readonly Peer[] {
  return kinds.map((kind, i) => {
    const address = `127.86.${Math.floor(i / 250)}.${(i % 250) + 1}`;
    return { address, kind, status: simulatedStatus(i + 1, address) };
  });
}

const MARKUP = '<img src=x onerror=alert(1)>\u001b]0;owned\u0007';

const text = (value: unknown) => ({ kind: 'text' as const, type: 'application/json', text: JSON.stringify(value) });

function answerOf({ kind, status }: Peer) {
  if (kind === 'nonsense') return { kind: 'text' as const, type: 'text/plain', text: MARKUP };
  if (kind === 'odd') return text({ ...status, field: { ...status.field, redundancy: 'none' } });
  const why = MARKUP.repeat(3);
  return text(
    kind === 'markup'
      ? { ...status, plugins: [{ name: MARKUP, state: 'failed', why }], more: 'x'.repeat(9999) }
      : status,
  );
}

/** Answers as no web server of VIVER's would. */
function rawServer(kind: PeerKind): Server {
  return createServer((socket) => {
    socket.on('error', () => socket.destroy());
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n';
    if (kind === 'drip') {
      socket.write(head);
      const timer = setInterval(() => socket.write(' '), 1000);
      socket.once('close', () => clearInterval(timer));
    }
    if (kind === 'endless') {
      socket.write(head);
      const more = () => void (socket.write(' '.repeat(1 << 16)) && setImmediate(more));
      socket.on('drain', more);
      socket.once('data', more);
    }
  });
}

async function serve(peer: Peer): Promise<void> {
  if (peer.kind === 'off') return;
  if (peer.kind === 'silent' || peer.kind === 'drip' || peer.kind === 'endless') {
    await once(rawServer(peer.kind).listen(HTTP_PORT, peer.address), 'listening');
    return;
  }
  const answer = answerOf(peer);
  await new WebServer({ log: () => {}, answer: () => answer }).listen(peer.address, HTTP_PORT);
}

/** Resolves when all listen. */
export async function startCrowd(peers: readonly Peer[]): Promise<AsyncDisposable> {
  const child = spawn(process.execPath, [import.meta.filename], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.write(`${JSON.stringify(peers)}\n`);
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the simulated machines do not start'))),
  ]);
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  let line = '';
  process.stdin.setEncoding('utf8');
  process.stdin.on('data', (part) => {
    line += part;
    if (!line.includes('\n')) return;
    const peers = JSON.parse(line) as Peer[];
    line = '';
    void Promise.all(peers.map(serve)).then(() => process.stdout.write('ready\n'));
  });
  process.stdin.once('end', () => process.exit());
}
