/** A node of the simulator: its machine, its link, its connections, and what it has done. */

import type { ConnectionId } from '../../../src/field/event.ts';
import type { FieldMachine } from '../../../src/field/machine.ts';
import type { Address } from '../../../src/field/wire/address.ts';

export interface LinkRates {
  /** Bytes a second. */
  readonly up: number;
  readonly down: number;
  /** Which room it is in, where there are several; and whether it was told so. */
  readonly room?: number;
  readonly isTold?: boolean;
}

export interface Piece {
  readonly bytes: number;
  readonly stream: Stream;
  /** Runs at the receiver when the whole piece is there. */
  readonly arrive: (() => void) | undefined;
}

/** One direction of a TCP connection. */
export interface Stream {
  readonly from: SimulatedNode;
  readonly to: SimulatedNode;
  readonly queue: Piece[];
  onNetwork: number;
  inQueue: number;
  /** Frames written at the same time go out together. */
  writtenAt?: number;
}

export interface Connection {
  readonly dialler: SimulatedNode;
  readonly dialled: SimulatedNode;
  readonly diallerId: ConnectionId;
  readonly dialledId: ConnectionId;
  readonly out: Stream;
  readonly back: Stream;
  isOpen: boolean;
}

/** A link's sending or receiving side: first come, first served at a rate. */
export class Pipe {
  readonly rate: number;
  #freeAt = 0;

  constructor(rate: number) {
    this.rate = rate;
  }

  /** When so many bytes that come now have gone through. */
  take(bytes: number, now: number): number {
    this.#freeAt = Math.max(this.#freeAt, now) + (bytes / this.rate) * 1000;
    return this.#freeAt;
  }

  backlog(now: number): number {
    return Math.max(0, this.#freeAt - now);
  }
}

export class SimulatedNode {
  readonly machine: FieldMachine;
  readonly address: Address;
  readonly up: Pipe;
  readonly down: Pipe;
  readonly room: number;
  readonly connections = new Map<ConnectionId, Connection>();
  isAlive = true;
  isFull = false;
  nextConn = 2;
  wakeAt = Number.POSITIVE_INFINITY;
  doneAt: number | undefined;
  readonly readyReads: number[] = [];
  packetsSent = 0;
  datagramsSent = 0;
  /** What it did, by kind: frames sent, chunks given, times woken. What costs a real node its CPU time. */
  readonly work = new Map<string, number>();
  datagramBytes = 0;
  controlBytes = 0;
  chunkBytes = 0;
  lies: 'chunks' | undefined;

  count(what: string): void {
    this.work.set(what, (this.work.get(what) ?? 0) + 1);
  }

  constructor(machine: FieldMachine, address: Address, link: LinkRates) {
    this.machine = machine;
    this.address = address;
    this.up = new Pipe(link.up);
    this.down = new Pipe(link.down);
    this.room = link.room ?? 0;
  }
}
