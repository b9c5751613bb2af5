/** Somebody who talks to real nodes by real sockets, and need not keep to anything. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encode } from '../../../src/codec/struct.ts';
import { type Address, parseAddress } from '../../../src/field/wire/address.ts';
import { decodeDatagram, encodeDatagram, type Sections } from '../../../src/field/wire/datagram.ts';
import { type ControlFrame, encodeControlFrame } from '../../../src/field/wire/frame.ts';
import { HELLO_SIZE, hello } from '../../../src/field/wire/hello.ts';
import { type Kind, OFFER_KIND } from '../../../src/field/wire/protocol.ts';
import { makeRecord, type NodeRecord, STATE_UP } from '../../../src/field/wire/record.ts';
import { UNKNOWN } from '../../../src/field/wire/summary.ts';

export const within = <T>(promise: Promise<T>, ms: number, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what: string, isTrue: () => boolean, ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await pause(5);
  }
}

/** A UDP address of its own, which shows that it is real, and says what it is told to. */
export class Stranger implements Disposable {
  readonly udp: UdpSocket;
  readonly #field: string;
  readonly #node: number;
  readonly #chunks: number;
  #cookie: Uint8Array | undefined;

  private constructor(udp: UdpSocket, id: string, node: number, chunks: number) {
    this.udp = udp;
    this.#field = id.slice(0, 16);
    this.#node = node;
    this.#chunks = chunks;
    udp.on('message', (bytes) => {
      if (bytes[3] === OFFER_KIND) return;
      const datagram = decodeDatagram(bytes);
      if (datagram.cookie !== undefined) this.#cookie = datagram.cookie;
    });
  }

  static async at(host: string, id: string, node: number, chunks: number): Promise<Stranger> {
    const udp = createSocket('udp4').bind(0, host);
    await once(udp, 'listening');
    return new Stranger(udp, id, node, chunks);
  }

  get address(): Address {
    const { address, port } = this.udp.address();
    return `${address}:${port}`;
  }

  /** From now on what this address says is listened to. */
  async prove(to: Address): Promise<void> {
    // As long as the answer: nobody gets more bytes than came from there.
    const own = { node: this.#node, life: 1, version: 1, state: STATE_UP, address: this.address, summary: UNKNOWN };
    this.say(to, 'join', { records: [makeRecord(own)] });
    await until('a cookie', () => this.#cookie !== undefined);
    this.say(to, 'join', { cookie: this.#cookie as Uint8Array });
    await pause(30);
  }

  say(to: Address, kind: Kind, sections: Sections): void {
    const head = { kind, field: this.#field, sender: this.#node, chunks: this.#chunks };
    this.sendBytes(to, encodeDatagram({ ...head, ...sections }));
  }

  tell(to: Address, records: readonly NodeRecord[]): void {
    this.say(to, 'notify up', { records });
  }

  sendBytes(to: Address, bytes: Uint8Array): void {
    const { host, port } = parseAddress(to);
    this.udp.send(bytes, port, host);
  }

  [Symbol.dispose](): void {
    this.udp.close();
  }
}

/** A TCP connection to a node, greeted under any name, over which any bytes can be sent. */
export class RawGuest implements Disposable {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  bytesReceived = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  static async connect(to: Address, from = '127.0.0.1'): Promise<RawGuest> {
    const { host, port } = parseAddress(to);
    const socket = connect({ host, port, localAddress: from });
    const guest = new RawGuest(socket);
    await Promise.race([once(socket, 'connect'), guest.closed]);
    return guest;
  }

  static async greet(to: Address, id: string, node: number, port: number, from = '127.0.0.1'): Promise<RawGuest> {
    const guest = await RawGuest.connect(to, from);
    const nonce = new Uint8Array(16);
    guest.write(encode(hello, { keyed: 0, image: Buffer.from(id, 'hex'), node, life: 1, port, nonce }));
    const answered = new Promise<void>((resolve) => {
      guest.socket.on('data', (bytes) => {
        guest.bytesReceived += bytes.length;
        if (guest.bytesReceived >= HELLO_SIZE) resolve();
      });
    });
    await Promise.race([answered, guest.closed]);
    return guest;
  }

  write(bytes: Uint8Array): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  send(frame: ControlFrame): void {
    this.write(encodeControlFrame(frame));
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
