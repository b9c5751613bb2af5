import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encode } from '../../../src/codec/struct.ts';
import {
  COMMAND,
  clientFlags,
  encodeOptionReply,
  exportReply,
  greeting,
  OPTION,
  optionHeader,
  REQUEST_BYTES,
  type Request,
  writeRequest,
} from '../../../src/nbd/protocol.ts';
import { emptyRequest } from '../../../src/nbd/request-reader.ts';
import type { NbdAddress } from '../../../src/nbd/server.ts';

/** Bytes of one option as a client sends it. */
export function optionBytes(option: number, data: Uint8Array = new Uint8Array()): Uint8Array {
  return Buffer.concat([encode(optionHeader, { option, length: data.length }), data]);
}

/** Bytes of one request; what is not given is zero. */
export function requestBytes(request: Partial<Request>): Uint8Array {
  const bytes = new Uint8Array(REQUEST_BYTES);
  writeRequest(new DataView(bytes.buffer), 0, { ...emptyRequest(), ...request });
  return bytes;
}

/** Data of GO and INFO for the default export. */
export function infoData(name: string, wanted: readonly number[]): Uint8Array {
  const text = Buffer.from(name);
  const data = Buffer.alloc(4 + text.length + 2 + 2 * wanted.length);
  data.writeUInt32BE(text.length, 0);
  text.copy(data, 4);
  data.writeUInt16BE(wanted.length, 4 + text.length);
  for (const [i, type] of wanted.entries()) data.writeUInt16BE(type, 6 + text.length + 2 * i);
  return data;
}

export interface SimpleReply {
  readonly error: number;
  readonly cookie: number;
  readonly data: Buffer;
}

/** A client that does what it is told, also what no client should. */
export class RawClient {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes as Buffer]);
      this.#wake();
    });
    for (const event of ['end', 'close', 'error']) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  static async open(address: NbdAddress): Promise<RawClient> {
    const socket = 'path' in address ? connect({ path: address.path }) : connect(address);
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** A client that has chosen the default export and may send requests. */
  static async attached(address: NbdAddress): Promise<RawClient> {
    const client = await RawClient.open(address);
    await client.take(greeting.size);
    client.send(encode(clientFlags, 3), optionBytes(OPTION.EXPORT_NAME));
    await client.take(exportReply.size);
    return client;
  }

  send(...pieces: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(pieces));
  }

  read(cookie: number, offset: number, length: number): void {
    this.send(requestBytes({ command: COMMAND.READ, cookieLow: cookie, offset, length }));
  }

  /** The next `length` bytes from the server. Throws if the connection ends before. */
  async take(length: number): Promise<Buffer> {
    while (this.#received.length < length) {
      if (this.#ended) throw new Error(`ended with ${this.#received.length} of ${length} bytes`);
      await this.#event();
    }
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  /** The next simple reply; `lengthOf` says how many bytes a successful read with that cookie brings. */
  async reply(lengthOf: (cookie: number) => number = () => 0): Promise<SimpleReply> {
    const head = await this.take(16);
    if (head.readUInt32BE(0) !== 0x67446698) throw new Error('not a simple reply');
    const error = head.readUInt32BE(4);
    const cookie = head.readUInt32BE(12);
    return { error, cookie, data: error === 0 ? await this.take(lengthOf(cookie)) : Buffer.alloc(0) };
  }

  /** The next option reply: type and data. */
  async optionReply(option: number): Promise<{ type: number; data: Buffer }> {
    const head = await this.take(20);
    const expected = encodeOptionReply(option, 0).subarray(0, 12);
    if (Buffer.compare(head.subarray(0, 12), expected) !== 0) throw new Error('not a reply to that option');
    return { type: head.readUInt32BE(12), data: await this.take(head.readUInt32BE(16)) };
  }

  /** Waits until the server has closed the connection; gives what was left to read. */
  async closed(): Promise<Buffer> {
    while (!this.#ended) await this.#event();
    return this.#received;
  }

  #event(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  close(): void {
    this.socket.destroy();
  }
}
