/**
 * Runs the field's machine in virtual time: nodes with links of a given rate, a store-and-forward network between
 * them. Every byte that the real edges would send is counted; chunk contents are not there.
 */

import type { Action, ConnectionId, FieldEvent, Lengths } from '../../../src/field/event.ts';
import { FieldMachine } from '../../../src/field/machine.ts';
import type { Address } from '../../../src/field/wire/address.ts';
import { datagramSize, decodeDatagram, encodeDatagram } from '../../../src/field/wire/datagram.ts';
import { type ControlFrame, controlFrameSize } from '../../../src/field/wire/frame.ts';
import { NO_PAPERS } from '../../../src/field/wire/papers.ts';
import { Agenda } from './agenda.ts';
import { recode } from './recode.ts';
import { type Connection, type LinkRates, Pipe, SimulatedNode, type Stream } from './simulated-node.ts';

/** Bytes of headers: Ethernet, IPv4 and UDP; and of a small TCP segment with timestamps. */
const UDP_OVERHEAD = 42 + 4;
const TCP_OVERHEAD = 66 + 4;
/** Share of a full-size TCP segment that is payload (1448 of 1538 bytes on the wire, as tbf counts 1514). */
const GOODPUT = 0.945;
/** Bytes that travel in one piece through the model. */
const PIECE = 8 << 10;
/** Bytes of one TCP connection on the network at a time, unless told otherwise, and in the sender's own queue (TCP small queues). */
const TCP_WINDOW = 256 << 10;
const TCP_SMALL_QUEUE = 16 << 10;

export interface SimulatorOptions {
  readonly seed: number;
  readonly lengths: Lengths;
  /** One-way delay of the network in ms, queues not counted. */
  readonly latencyMs: number;
  readonly lossRate?: number;
  /** Share of datagrams that arrive twice, and what they are late by at most: so they overtake one another. */
  readonly duplicateRate?: number;
  readonly jitterMs?: number;
  readonly fill?: boolean;
  /** Something runs from each node that has not the image on a medium. */
  readonly readsFirst?: boolean;
  /** Between rooms everything goes through a link of each room: bytes a second out of it and into it, and its delay. */
  readonly uplink?: { readonly rate: number; readonly latencyMs: number };
  /** Every datagram and control frame goes through its encoder and decoder, as between real nodes. */
  readonly isStrict?: boolean;
  /** Bytes of one TCP connection on the network at a time: more, on long ways. */
  readonly tcpWindow?: number;
}

/** Mulberry32: small, fast, and the same everywhere. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Simulator {
  now = 0;
  readonly nodes: SimulatedNode[] = [];
  readonly random: () => number;
  readonly #options: SimulatorOptions;
  lossRate: number;
  jitterMs: number;
  readonly #agenda = new Agenda();
  readonly #uplinks = new Map<number, { readonly out: Pipe; readonly in: Pipe }>();
  /** Bytes that went from one room to another. */
  crossed = 0;
  readonly #byAddress = new Map<Address, SimulatedNode>();
  readonly logs: string[] = [];
  onReady: (node: SimulatedNode, read: number) => void = () => {};
  /** Whether two nodes can reach each other. */
  reachable: (a: SimulatedNode, b: SimulatedNode) => boolean = () => true;

  /** Whether whoever is at an address wants nothing to do with a host. */
  refuses: (by: Address, host: string) => boolean = () => false;

  constructor(options: SimulatorOptions) {
    this.#options = options;
    this.random = generator(options.seed);
    this.lossRate = options.lossRate ?? 0;
    this.jitterMs = options.jitterMs ?? 0;
  }

  /** A dead node's successor: another node at the same address. */
  restart(dead: SimulatedNode, peers: readonly Address[]): SimulatedNode {
    return this.#addAt(dead.address, { up: dead.up.rate, down: dead.down.rate }, peers, Number.MAX_SAFE_INTEGER);
  }

  /** `hasImage`: it has the image on a medium, and nothing to keep. */
  add(link: LinkRates, peers: readonly Address[], keep = Number.MAX_SAFE_INTEGER, hasImage = false): SimulatedNode {
    const number = this.nodes.length + 1;
    const address = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}:20070`;
    return this.#addAt(address, link, peers, hasImage ? 0 : keep);
  }

  #addAt(address: Address, link: LinkRates, peers: readonly Address[], keep: number): SimulatedNode {
    const random = generator(this.random() * 2 ** 32);
    const machine = new FieldMachine({
      field: '00112233445566ff',
      // No two alike, however many there are: a generator of 32 bits would give some twice.
      node: Math.floor(random() * 2 ** 32) * 2 ** 16 + (this.nodes.length & 0xffff),
      life: 1_000_000 + Math.floor(this.now),
      address,
      peers,
      multicast: false,
      random,
      cookie: (from) => Uint8Array.from({ length: 8 }, (_, i) => (from.charCodeAt(i % from.length) * (i + 3)) & 255),
      keep,
      fill: this.#options.fill ?? true,
      readsFirst: (this.#options.readsFirst ?? false) && keep > 0,
      hasOrigin: false,
      room: link.isTold === true ? (link.room ?? 0) : 0,
      isRefused: (host) => this.refuses(address, host),
    });
    const node = new SimulatedNode(machine, address, link);
    this.nodes.push(node);
    this.#byAddress.set(address, node);
    return node;
  }

  at(time: number, run: () => void): void {
    this.#agenda.add(time, run);
  }

  event(node: SimulatedNode, event: FieldEvent): void {
    if (!node.isAlive) return;
    for (const action of node.machine.handle(event, this.now)) this.#do(node, action);
    const wakeAt = node.machine.nextWake();
    if (wakeAt < node.wakeAt || node.wakeAt <= this.now) this.#wakeLater(node, wakeAt);
  }

  kill(node: SimulatedNode): void {
    node.isAlive = false;
    for (const connection of [...node.connections.values()]) this.#break(connection, 'killed');
  }

  /** Runs until `end` ms, or until `isDone`. */
  run(end: number, isDone: () => boolean = () => false): void {
    let same = 0;
    for (;;) {
      const next = this.#agenda.peek();
      same = next?.at === this.now ? same + 1 : 0;
      if (same > 1_000_000) throw new Error(`the simulation stands still at ${this.now} ms`);
      if (next === undefined || next.at > end) {
        this.now = end;
        return;
      }
      this.#agenda.pop();
      this.now = next.at;
      next.run();
      if (isDone()) return;
    }
  }

  #wakeLater(node: SimulatedNode, at: number): void {
    if (at === Number.POSITIVE_INFINITY) return;
    node.wakeAt = Math.max(at, this.now);
    const wakeAt = node.wakeAt;
    this.at(wakeAt, () => {
      if (node.wakeAt !== wakeAt) return;
      node.wakeAt = Number.POSITIVE_INFINITY;
      node.count('wake');
      this.event(node, { kind: 'wake' });
    });
  }

  #do(node: SimulatedNode, action: Action): void {
    switch (action.kind) {
      case 'send': {
        const size = datagramSize(action.datagram);
        const datagram = this.#options.isStrict ? decodeDatagram(encodeDatagram(action.datagram)) : action.datagram;
        node.datagramsSent++;
        node.count('datagram');
        node.datagramBytes += size + UDP_OVERHEAD;
        const to = this.#byAddress.get(action.to);
        const left = node.up.take(size + UDP_OVERHEAD, this.now);
        if (to === undefined) break;
        const { latencyMs, duplicateRate = 0 } = this.#options;
        const arrive = (): void => {
          if (!to.isAlive || !this.reachable(node, to)) return;
          const event = {
            kind: 'datagram',
            from: node.address,
            datagram,
            size,
            isMulticast: false,
          } as const;
          this.#cross(node, to, size + UDP_OVERHEAD, () => this.event(to, event));
        };
        for (const isLost of duplicateRate > this.random() ? [false, false] : [this.lossRate > this.random()]) {
          if (!isLost) this.at(left + latencyMs + this.jitterMs * this.random(), arrive);
        }
        break;
      }
      case 'dial':
        this.#dial(node, action.conn, action.address);
        break;
      case 'close': {
        const connection = node.connections.get(action.conn);
        if (connection !== undefined) this.#break(connection, action.why, node);
        break;
      }
      case 'frame':
        this.#sendFrame(node, action.conn, action.frame);
        break;
      case 'give':
        this.#give(node, action.conn, action.chunk, action.chosen);
        break;
      case 'give papers':
        this.#sendFrame(node, action.conn, { kind: 'papers', ...NO_PAPERS });
        break;
      case 'give index':
        this.#giveIndex(node, action.conn, action.piece);
        break;
      case 'ready':
        this.onReady(node, action.read);
        this.at(this.now, () => this.event(node, { kind: 'unread', read: action.read }));
        break;
      case 'log':
        this.logs.push(`${this.now.toFixed(0)} ${node.address} ${action.text}`);
        break;
      case 'gone':
        this.kill(node);
        break;
      default:
    }
  }

  #dial(node: SimulatedNode, conn: ConnectionId, address: Address): void {
    const to = this.#byAddress.get(address);
    if (to === undefined || !to.isAlive || !this.reachable(node, to)) {
      this.at(this.now + 1000, () => this.event(node, { kind: 'closed', conn, why: 'no answer', hostile: false }));
      return;
    }
    const out: Stream = { from: node, to, queue: [], onNetwork: 0, inQueue: 0 };
    const back: Stream = { from: to, to: node, queue: [], onNetwork: 0, inQueue: 0 };
    const dialledId = to.nextConn;
    to.nextConn += 2;
    const connection = { dialler: node, dialled: to, diallerId: conn, dialledId, out, back, isOpen: true };
    node.connections.set(conn, connection);
    to.connections.set(dialledId, connection);
    // SYN and hello there, SYN-ACK and hello back.
    this.#push(out, TCP_OVERHEAD * 2 + 104, () => {
      this.event(to, { kind: 'accepted', conn: dialledId, node: nodeId(node), address: node.address });
      this.#push(back, TCP_OVERHEAD * 2 + 104, () => {
        this.event(node, { kind: 'connected', conn, node: nodeId(to), address });
      });
    });
  }

  #break(connection: Connection, why: string, by?: SimulatedNode): void {
    if (!connection.isOpen) return;
    connection.isOpen = false;
    const { dialler, dialled, diallerId, dialledId } = connection;
    dialler.connections.delete(diallerId);
    dialled.connections.delete(dialledId);
    for (const [node, conn] of [
      [dialler, diallerId],
      [dialled, dialledId],
    ] as const) {
      const delay = node === by ? 0 : this.#options.latencyMs;
      this.at(this.now + delay, () => this.event(node, { kind: 'closed', conn, why, hostile: false }));
    }
  }

  #streamOf(node: SimulatedNode, conn: ConnectionId): { stream: Stream; other: ConnectionId } | undefined {
    const connection = node.connections.get(conn);
    if (connection === undefined) return undefined;
    return connection.dialler === node && connection.diallerId === conn
      ? { stream: connection.out, other: connection.dialledId }
      : { stream: connection.back, other: connection.diallerId };
  }

  #sendFrame(node: SimulatedNode, conn: ConnectionId, sent: ControlFrame): void {
    const found = this.#streamOf(node, conn);
    if (found === undefined) return;
    const { stream, other } = found;
    const frame = this.#options.isStrict ? recode(sent) : sent;
    // Frames written in one turn of the event loop share a packet.
    const bytes = controlFrameSize(frame) + (stream.queue.length > 0 ? 0 : TCP_OVERHEAD);
    node.packetsSent++;
    node.count(frame.kind);
    if (stream.writtenAt !== this.now) node.count('write');
    stream.writtenAt = this.now;
    node.controlBytes += bytes;
    this.#push(stream, bytes, () => this.event(stream.to, { kind: 'frame', conn: other, frame }));
  }

  #give(node: SimulatedNode, conn: ConnectionId, chunk: number, chosen: boolean): void {
    const found = this.#streamOf(node, conn);
    if (found === undefined) return;
    const { stream, other } = found;
    const length = this.#options.lengths.length(chunk);
    node.chunkBytes += length;
    node.count('data');
    if (stream.writtenAt !== this.now) node.count('write');
    stream.writtenAt = this.now;
    const total = (length + 10) / GOODPUT;
    let left = total;
    let isFirst = true;
    while (left > 0) {
      const bytes = Math.min(left, isFirst ? 1500 : PIECE);
      left -= bytes;
      const first = isFirst;
      const last = left <= 0;
      const arrive =
        first || last
          ? () => {
              if (first) this.event(stream.to, { kind: 'incoming', conn: other, chunk, chosen });
              const good = node.lies !== 'chunks';
              if (last) this.event(stream.to, { kind: 'chunk', conn: other, chunk, good });
            }
          : undefined;
      this.#push(stream, bytes, arrive);
      isFirst = false;
    }
  }

  #giveIndex(node: SimulatedNode, conn: ConnectionId, piece: number): void {
    const found = this.#streamOf(node, conn);
    if (found === undefined) return;
    const { stream, other } = found;
    const { lengths } = this.#options;
    this.#push(stream, (lengths.count * 40 + 160) / GOODPUT, () => {
      this.event(stream.to, { kind: 'index', conn: other, piece, good: true, wanted: [] });
      if (stream.to.machine.data === undefined)
        this.event(stream.to, { kind: 'layout', lengths, held: [], free: false });
    });
  }

  /** Runs when bytes that have come to the switch now are at their receiver. */
  #cross(from: SimulatedNode, to: SimulatedNode, bytes: number, arrived: () => void): void {
    const { uplink } = this.#options;
    if (uplink === undefined || from.room === to.room) {
      this.at(to.down.take(bytes, this.now), arrived);
      return;
    }
    this.crossed += bytes;
    const left = this.#uplinkOf(from.room, uplink.rate).out.take(bytes, this.now);
    const entered = this.#uplinkOf(to.room, uplink.rate).in.take(bytes, left);
    this.at(entered + uplink.latencyMs, () => this.at(to.down.take(bytes, this.now), arrived));
  }

  #uplinkOf(room: number, rate: number): { readonly out: Pipe; readonly in: Pipe } {
    const known = this.#uplinks.get(room) ?? { out: new Pipe(rate), in: new Pipe(rate) };
    this.#uplinks.set(room, known);
    return known;
  }

  #push(stream: Stream, bytes: number, arrive: (() => void) | undefined): void {
    stream.queue.push({ bytes, stream, arrive });
    this.#drain(stream);
  }

  #drain(stream: Stream): void {
    for (;;) {
      const piece = stream.queue[0];
      if (piece === undefined) return;
      if (stream.onNetwork > 0 && stream.onNetwork + piece.bytes > (this.#options.tcpWindow ?? TCP_WINDOW)) return;
      if (stream.inQueue > 0 && stream.inQueue + piece.bytes > TCP_SMALL_QUEUE) return;
      stream.queue.shift();
      stream.onNetwork += piece.bytes;
      stream.inQueue += piece.bytes;
      const left = stream.from.up.take(piece.bytes, this.now);
      this.at(left, () => {
        stream.inQueue -= piece.bytes;
        this.#drain(stream);
      });
      this.at(left + this.#options.latencyMs, () => {
        this.#cross(stream.from, stream.to, piece.bytes, () => {
          piece.arrive?.();
          this.at(this.now + this.#options.latencyMs, () => {
            stream.onNetwork -= piece.bytes;
            this.#drain(stream);
          });
        });
      });
    }
  }
}

function nodeId(node: SimulatedNode): number {
  return node.machine.nodeId;
}
