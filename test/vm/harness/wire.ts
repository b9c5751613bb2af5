import { createWriteStream, type WriteStream } from 'node:fs';
import type { Duplex } from 'node:stream';
import { Bridge } from './bridge.ts';
import { pcapHeader, pcapRecord } from './pcap.ts';

/** QEMU's stream sockets carry each Ethernet frame after its length, 4 bytes, big-endian. */
const LENGTH_BYTES = 4;
const LONGEST_FRAME = 69_632;

/** Whole frames out of a stream of bytes. Pure: returns the frames (without their length) and what is left over. */
export function splitFrames(bytes: Buffer): { frames: Buffer[]; rest: Buffer } {
  const frames: Buffer[] = [];
  let at = 0;
  while (bytes.length - at >= LENGTH_BYTES) {
    const length = bytes.readUInt32BE(at);
    if (length > LONGEST_FRAME) throw new Error(`wire: a frame of ${length} bytes cannot be`);
    if (bytes.length - at < LENGTH_BYTES + length) break;
    frames.push(bytes.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
    at += LENGTH_BYTES + length;
  }
  return { frames, rest: bytes.subarray(at) };
}

/** What happens to the frames a machine sends and gets at its port. */
export interface PortRules {
  /** Nothing passes, either way; the machine's card still sees a link (`link` steps take that away). */
  readonly cut?: boolean;
  /** Each way, on the switch's side. */
  readonly delayMs?: number;
  /** Frames this is true for are lost. */
  readonly drop?: (frame: Buffer) => boolean;
  /** What the machine sends, made into something else. */
  readonly change?: (frame: Buffer) => Buffer;
}

/** One socket of the switch. */
export class Port {
  /** The machine's name, or who the tests say it is. */
  readonly name: string;
  rules: PortRules = {};
  /** What the machine behind it sent and was given. */
  sentBytes = 0;
  receivedBytes = 0;
  readonly #deliver: (frame: Buffer) => void;
  readonly #take: (frame: Buffer) => void;

  constructor(name: string, deliver: (frame: Buffer) => void, take: (port: Port, frame: Buffer) => void) {
    this.name = name;
    this.#deliver = deliver;
    this.#take = (frame) => take(this, frame);
  }

  /** A frame from the machine. */
  send(frame: Buffer): void {
    this.#pass(this.rules.change?.(frame) ?? frame, (passed) => {
      this.sentBytes += passed.length;
      this.#take(passed);
    });
  }

  /** A frame to the machine. */
  receive(frame: Buffer): void {
    this.#pass(frame, (passed) => {
      this.receivedBytes += passed.length;
      this.#deliver(passed);
    });
  }

  #pass(frame: Buffer, next: (frame: Buffer) => void): void {
    const { cut = false, delayMs = 0, drop } = this.rules;
    if (cut || drop?.(frame) === true) return;
    if (delayMs === 0) next(frame);
    // A cable that was cut meanwhile keeps what was on it.
    else setTimeout(() => this.rules.cut !== true && next(frame), delayMs);
  }
}

export type Listener = (frame: Buffer, from: Port, to: readonly Port[]) => void;

/** An Ethernet switch between machines of one scenario, in this process: no root, and every frame can be seen. */
export class Wire {
  readonly #ports = new Set<Port>();
  readonly #bridge = new Bridge<Port>();
  readonly #listeners = new Set<Listener>();
  frames = 0;
  bytes = 0;

  get ports(): readonly Port[] {
    return [...this.#ports];
  }

  /** The port of a machine that is on. @throws Error when there is none of this name */
  port(name: string): Port {
    const found = this.ports.find((port) => port.name === name);
    if (found !== undefined) return found;
    throw new Error(`wire: no port '${name}' among ${this.ports.map((port) => port.name).join(', ') || 'none'}`);
  }

  /** Connects one of QEMU's stream sockets; its end takes the port away. */
  plug(socket: Duplex, name: string): Port {
    const port = this.#add(name, (frame) => {
      const length = Buffer.allocUnsafe(LENGTH_BYTES);
      length.writeUInt32BE(frame.length);
      if (!socket.writable) return;
      socket.cork();
      socket.write(length);
      socket.write(frame);
      socket.uncork();
    });
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      const split = splitFrames(rest.length === 0 ? bytes : Buffer.concat([rest, bytes]));
      rest = split.rest;
      for (const frame of split.frames) port.send(frame);
    });
    socket.on('error', () => this.#remove(port));
    socket.on('close', () => this.#remove(port));
    return port;
  }

  /** A port for this process: `onFrame` gets what comes there, `send` puts a frame on the wire, whatever it is. */
  attach(name: string, onFrame: (frame: Buffer) => void = () => {}): { send(frame: Buffer): void } & Disposable {
    const port = this.#add(name, onFrame);
    return { send: (frame) => port.send(frame), [Symbol.dispose]: () => this.#remove(port) };
  }

  /** Hears every frame the switch takes; the frame is only lent. */
  listen(listener: Listener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Writes every frame to a file, as Wireshark and tcpdump read it. */
  record(path: string): Disposable {
    const file: WriteStream = createWriteStream(path);
    file.write(pcapHeader());
    const listening = this.listen((frame) => file.write(pcapRecord(frame, Date.now())));
    return {
      [Symbol.dispose]: () => {
        listening[Symbol.dispose]();
        file.end();
      },
    };
  }

  #add(name: string, deliver: (frame: Buffer) => void): Port {
    const port = new Port(name, deliver, (from, frame) => this.#switch(from, frame));
    this.#ports.add(port);
    return port;
  }

  #remove(port: Port): void {
    this.#ports.delete(port);
    this.#bridge.forget(port);
  }

  #switch(from: Port, frame: Buffer): void {
    if (!this.#ports.has(from)) return;
    const to = this.#bridge.forward(from, frame, this.#ports);
    this.frames++;
    this.bytes += frame.length;
    for (const listener of this.#listeners) listener(frame, from, to);
    for (const port of to) port.receive(frame);
  }
}
