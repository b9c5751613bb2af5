import type { Duplex } from 'node:stream';

/** QEMU's stream sockets carry each Ethernet frame after its length, 4 bytes, big-endian. */
const LENGTH_BYTES = 4;
const LONGEST_FRAME = 69_632;

/** Whole frames out of a stream of bytes. Pure: returns the frames (with their length) and what is left over. */
export function splitFrames(bytes: Buffer): { frames: Buffer[]; rest: Buffer } {
  const frames: Buffer[] = [];
  let at = 0;
  while (bytes.length - at >= LENGTH_BYTES) {
    const length = bytes.readUInt32BE(at);
    if (length > LONGEST_FRAME) throw new Error(`wire: a frame of ${length} bytes cannot be`);
    if (bytes.length - at < LENGTH_BYTES + length) break;
    frames.push(bytes.subarray(at, at + LENGTH_BYTES + length));
    at += LENGTH_BYTES + length;
  }
  return { frames, rest: bytes.subarray(at) };
}

interface Port {
  readonly socket: Duplex;
  rest: Buffer;
}

/** An Ethernet switch between machines of one scenario: learns addresses, floods what it does not know. */
export class Wire {
  readonly #ports = new Set<Port>();
  readonly #learned = new Map<string, Port>();
  frames = 0;
  bytes = 0;

  plug(socket: Duplex): void {
    const port: Port = { socket, rest: Buffer.alloc(0) };
    this.#ports.add(port);
    const gone = () => {
      this.#ports.delete(port);
      for (const [address, at] of this.#learned) if (at === port) this.#learned.delete(address);
    };
    socket.on('data', (bytes: Buffer) => this.#receive(port, bytes));
    socket.on('error', gone);
    socket.on('close', gone);
  }

  #receive(from: Port, bytes: Buffer): void {
    const { frames, rest } = splitFrames(from.rest.length === 0 ? bytes : Buffer.concat([from.rest, bytes]));
    from.rest = rest;
    for (const frame of frames) {
      if (frame.length < LENGTH_BYTES + 12) continue;
      this.frames++;
      this.bytes += frame.length - LENGTH_BYTES;
      this.#learned.set(frame.toString('hex', LENGTH_BYTES + 6, LENGTH_BYTES + 12), from);
      const group = ((frame[LENGTH_BYTES] ?? 0) & 1) === 1;
      const known = group ? undefined : this.#learned.get(frame.toString('hex', LENGTH_BYTES, LENGTH_BYTES + 6));
      for (const port of known === undefined ? this.#ports : [known]) if (port !== from) port.socket.write(frame);
    }
  }
}
