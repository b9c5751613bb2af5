import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { decode, encode } from '../../codec/struct.ts';
import { setReceiveLowWater } from '../../linux/socket/socket-option.ts';
import type { ConnectionId } from '../event.ts';
import { type Address, formatAddress, isUsable, parseAddress } from '../wire/address.ts';
import {
  type ControlFrame,
  encodeControlFrame,
  encodeDataHeader,
  FrameDecoder,
  type FrameSink,
} from '../wire/frame.ts';
import { HELLO_SIZE, hello, NONCE_SIZE } from '../wire/hello.ts';
import { type FieldKey, isSameProof, PROOF_SIZE } from '../wire/key.ts';
import type { NodeId } from '../wire/record.ts';

/** A connection whose other side has not said who it is by then is closed. */
const HELLO_MS = 5000;

/** Bytes that one who reads nothing may leave in our queue: a window of chunks and some answers. */
const UNREAD_LIMIT = 24 << 20;

/** Who we are on every connection. */
export interface Identity {
  /** 32 bytes. */
  readonly image: Uint8Array;
  readonly node: NodeId;
  readonly life: number;
  /** The port we listen on. */
  readonly port: number;
  readonly key: FieldKey | undefined;
}

export interface ConnectionEvents extends Omit<FrameSink, 'control'> {
  /** Both sides know each other. `address`: where the other listens. */
  opened(node: NodeId, address: Address): void;
  control(frame: ControlFrame): void;
  /** Once. `hostile`: because of what the other side sent. */
  closed(why: string, hostile: boolean): void;
}

/** Of a chunk that comes, so many bytes are waited for at a time: one turn of the event loop for all of them. */
const GATHERED = 128 << 10;

/** Pieces up to this size that go out together become one: a copy costs less than one more piece. */
const SMALL_PIECE = 4 << 10;

/** Bytes taken from the network in one turn of the event loop; then it is the turn of those who read what is here. */
const TURN_BYTES = 1 << 20;
let takenInTurn = 0;

/** Whether more may be taken in this turn. */
function takeInTurn(length: number): boolean {
  if (takenInTurn === 0) {
    setImmediate(() => {
      takenInTurn = 0;
    });
  }
  takenInTurn += length;
  return takenInTurn < TURN_BYTES;
}

const RECEIVE_BYTES = 256 << 10;
let receiveBuffer: Uint8Array | undefined;
/** All connections read into this one buffer: what is in it is used up before the next read. Not in the snapshot. */
const bufferOfAll = (): Uint8Array => (receiveBuffer ??= new Uint8Array(RECEIVE_BYTES));

/** One TCP connection of the field: hellos, proofs, then frames. */
export class Connection {
  readonly id: ConnectionId;
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  readonly #identity: Identity;
  readonly #isDialler: boolean;
  readonly #ownHello: Uint8Array;
  readonly #decoder: FrameDecoder;
  /** Bytes of the handshake until it is over. */
  #greeting: Buffer | undefined = Buffer.alloc(0);
  #otherHello: Uint8Array | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Written since the stack was last empty. */
  #outgoing: Uint8Array[] = [];
  #lowWater = 1;

  private constructor(
    id: ConnectionId,
    socket: Socket,
    identity: Identity,
    events: ConnectionEvents,
    isDialler: boolean,
  ) {
    this.id = id;
    this.#socket = socket;
    this.#identity = identity;
    this.#events = events;
    this.#isDialler = isDialler;
    this.#decoder = new FrameDecoder(events);
    this.#ownHello = encode(hello, {
      keyed: identity.key === undefined ? 0 : 1,
      image: identity.image,
      node: identity.node,
      life: identity.life,
      port: identity.port,
      nonce: randomBytes(NONCE_SIZE),
    });
    socket.setNoDelay(true);
    this.#timer = setTimeout(() => this.close('says nothing'), HELLO_MS);
    socket.on('error', (error) => this.close(error.message));
    socket.on('close', () => this.close('closed by the other side'));
    socket.on('end', () => this.close('closed by the other side'));
  }

  /** @param from address to dial from; undefined: whichever the route takes */
  static dial(
    id: ConnectionId,
    address: Address,
    from: string | undefined,
    identity: Identity,
    events: ConnectionEvents,
  ): Connection {
    const { host, port } = parseAddress(address);
    let connection: Connection | undefined;
    const socket = connect({
      host,
      port,
      ...(from === undefined ? {} : { localAddress: from }),
      onread: {
        buffer: bufferOfAll(),
        callback: (length, buffer) => {
          if (connection !== undefined) connection.#received(buffer.subarray(0, length));
          if (takeInTurn(length)) return true;
          setImmediate(() => socket.resume());
          return false;
        },
      },
    });
    connection = new Connection(id, socket, identity, events, true);
    const dialler = connection;
    socket.once('connect', () => socket.write(dialler.#ownHello));
    return connection;
  }

  static accept(id: ConnectionId, socket: Socket, identity: Identity, events: ConnectionEvents): Connection {
    const connection = new Connection(id, socket, identity, events, false);
    socket.on('data', (bytes) => connection.#received(bytes as Uint8Array));
    return connection;
  }

  /** Bytes handed to the socket that the kernel has not taken. */
  get backlog(): number {
    return this.#socket.writableLength;
  }

  /** The same, and what has been written since the stack was last empty. */
  get unsent(): number {
    return this.#outgoing.reduce((sum, piece) => sum + piece.length, this.backlog);
  }

  /** @throws CodecError when the frame cannot be said */
  send(frame: ControlFrame): void {
    this.#write(encodeControlFrame(frame));
    if (this.backlog > UNREAD_LIMIT) this.close('reads nothing of what it asked for');
  }

  /** Sends a chunk; its bytes must not change before they are on their way. */
  give(chunk: number, chosen: boolean, bytes: Uint8Array): void {
    this.#write(encodeDataHeader(chunk, chosen, bytes.length));
    this.#write(bytes);
  }

  write(bytes: Uint8Array): void {
    this.#write(bytes);
  }

  close(why: string, hostile = false): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    // What was written a moment ago (a refusal) should still arrive; a hostile peer gets nothing more.
    if (hostile || this.#greeting !== undefined) this.#socket.destroy();
    else {
      this.#flush();
      this.#socket.destroySoon();
    }
    this.#events.closed(why, hostile);
  }

  /** What is written until the stack is empty goes out in one packet. */
  #write(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    // Not setImmediate: that costs another turn of the event loop with every packet.
    if (this.#outgoing.length === 0) queueMicrotask(() => this.#flush());
    this.#outgoing.push(bytes);
  }

  #flush(): void {
    const pieces = joinSmall(this.#outgoing);
    this.#outgoing = [];
    const [first] = pieces;
    if (first === undefined || this.#socket.destroyed) return;
    if (pieces.length === 1) {
      this.#socket.write(first);
      return;
    }
    this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.uncork();
  }

  #received(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    try {
      if (this.#greeting !== undefined) this.#greet(bytes);
      else {
        this.#decoder.push(bytes);
        this.#gather();
      }
    } catch (error) {
      this.close(error instanceof Error ? error.message : String(error), true);
    }
  }

  /** Lets the rest of a chunk gather in the kernel instead of taking it packet by packet. */
  #gather(): void {
    const wanted = Math.max(1, Math.min(this.#decoder.bodyLeft, GATHERED));
    if (wanted === this.#lowWater || this.#isClosed) return;
    this.#lowWater = wanted;
    setReceiveLowWater(this.#socket, wanted);
  }

  /** The dialler says hello; the one dialled answers with its own and a proof; the dialler proves itself. */
  #greet(bytes: Uint8Array): void {
    let waiting = Buffer.concat([this.#greeting ?? Buffer.alloc(0), bytes]);
    const { key } = this.#identity;
    if (this.#otherHello === undefined) {
      if (waiting.length < HELLO_SIZE) {
        this.#greeting = waiting;
        return;
      }
      this.#otherHello = waiting.subarray(0, HELLO_SIZE);
      waiting = waiting.subarray(HELLO_SIZE);
      if (!this.#isWelcome(this.#otherHello)) return;
      if (!this.#isDialler) {
        this.#socket.write(this.#ownHello);
        if (key !== undefined) this.#socket.write(key.proof('dialled', this.#otherHello, this.#ownHello));
      }
    }
    if (key !== undefined) {
      if (waiting.length < PROOF_SIZE) {
        this.#greeting = waiting;
        return;
      }
      const [ours, theirs] = [this.#ownHello, this.#otherHello];
      const expected = this.#isDialler ? key.proof('dialled', ours, theirs) : key.proof('dialler', theirs, ours);
      if (!isSameProof(expected, waiting.subarray(0, PROOF_SIZE))) {
        this.close('does not know the key of this field', true);
        return;
      }
      if (this.#isDialler) this.#socket.write(key.proof('dialler', ours, theirs));
      waiting = waiting.subarray(PROOF_SIZE);
    }
    this.#greeting = undefined;
    clearTimeout(this.#timer);
    const { node, port } = decode(hello, this.#otherHello);
    const host = this.#socket.remoteAddress ?? '';
    if (!isUsable({ host, port })) {
      this.close('comes from an address that nobody else could reach');
      return;
    }
    this.#events.opened(node, formatAddress(host, port));
    if (waiting.length > 0 && !this.#isClosed) this.#decoder.push(waiting);
  }

  #isWelcome(bytes: Uint8Array): boolean {
    const other = decode(hello, bytes);
    if (Buffer.compare(other.image, this.#identity.image) !== 0) {
      this.close('is of another field');
      return false;
    }
    if ((other.keyed === 1) !== (this.#identity.key !== undefined)) {
      this.close(other.keyed === 1 ? 'has a key, this field has none' : 'has no key', true);
      return false;
    }
    return true;
  }
}

/** Neighbouring small pieces made one. */
function joinSmall(pieces: readonly Uint8Array[]): Uint8Array[] {
  const joined: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const close = (): void => {
    const [first] = small;
    if (first !== undefined) joined.push(small.length === 1 ? first : Buffer.concat(small));
    small = [];
  };
  for (const piece of pieces) {
    if (piece.length <= SMALL_PIECE) small.push(piece);
    else {
      close();
      joined.push(piece);
    }
  }
  close();
  return joined;
}
