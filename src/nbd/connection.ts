import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import type { BlockSource } from './block-source.ts';
import { type ExportDescription, encodeGreeting, Handshake } from './handshake.ts';
import { COMMAND, type Cookie, type Range, REQUEST_BYTES, readRequest, requestError } from './protocol.ts';
import { ReplyQueue } from './reply-queue.ts';
import { emptyRequest, RequestReader } from './request-reader.ts';

/**
 * Packets kept unread while too much is in flight: nine thousand requests, more than any honest client has. Only beyond
 * that is the socket no longer read, since then it is not heard either that the client goes.
 */
const MAX_WAITING_BYTES = 256 * 1024;

export interface ConnectionLimits {
  /** A client that has not chosen an export by then is dropped. */
  readonly handshakeMs: number;
  /**
   * Replies not yet taken by the client, in bytes, and something for each read that waits for its own: beyond it no
   * request is started. The bytes of reads that wait are not counted: they are not here, and what is here must not wait
   * behind them.
   */
  readonly inFlightBytes: number;
  /** A source that fails (it should wait instead) is asked again after this time. */
  readonly retryMs: number;
}

export const DEFAULT_LIMITS: ConnectionLimits = {
  handshakeMs: 30_000,
  inFlightBytes: 64 * 1024 * 1024,
  retryMs: 1000,
};

/** What a request costs beside its data: its promise, closures, reply header. Bounds tiny requests too. */
const REQUEST_WEIGHT = 4096;

/** How a client that just goes away looks. */
const GONE: readonly string[] = ['EPIPE', 'ECONNRESET'];

export interface ConnectionEvents {
  /** For an operator: rare things only. */
  log(line: string): void;
  /** Once, when the socket is gone. */
  closed(): void;
}

interface PendingRead extends Cookie, Range {
  /** Its bytes are counted as being in flight already. */
  readonly hasRoom: boolean;
}

/**
 * One client: handshake, then requests. Replies go out in the order in which reads complete; a read that must wait
 * waits, and others pass it. Everything it started ends with the socket.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #source: BlockSource;
  readonly #limits: ConnectionLimits;
  readonly #events: ConnectionEvents;
  readonly #reader = new RequestReader();
  readonly #replies: ReplyQueue;
  readonly #request = emptyRequest();
  readonly #abort = new AbortController();
  #handshake: Handshake | undefined;
  #timer: NodeJS.Timeout | undefined;
  #inFlight = 0;
  #reading = 0;
  /** Reads that were ready while the client did not take what it had: their bytes are asked for again. */
  readonly #later: PendingRead[] = [];
  /** Of these, those that are being asked for again. */
  #answering = 0;
  /** #request is read but waits until there is room in flight, and #packets behind it. */
  #held = false;
  readonly #packets: Uint8Array[] = [];
  #packetBytes = 0;
  #flushSoon = false;
  #leaving = false;
  /** Its last word is DISC, which waits its turn behind requests. */
  #saidGoodbye = false;

  /** With `exported` undefined the client is the kernel, which begins with requests. */
  constructor(
    socket: Socket,
    source: BlockSource,
    exported: ExportDescription | undefined,
    limits: ConnectionLimits,
    events: ConnectionEvents,
  ) {
    this.#socket = socket;
    this.#source = source;
    this.#limits = limits;
    this.#events = events;
    this.#replies = new ReplyQueue(
      socket,
      (weight) => this.#written(weight),
      (data) => source.release?.(data),
    );
    // Every read listens to the one signal.
    setMaxListeners(0, this.#abort.signal);
    socket.on('data', (bytes) => this.#received(bytes as Uint8Array));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (!GONE.includes(error.code ?? '')) this.#events.log(`connection: ${error.message}`);
    });
    socket.on('end', () => this.#hungUp());
    socket.on('close', () => this.#closed());
    if (exported !== undefined) this.#greet(exported);
  }

  /** Drops the client and aborts its reads. */
  destroy(): void {
    this.#abort.abort(new Error('the NBD server is closing'));
    this.#socket.destroy();
  }

  #greet(exported: ExportDescription): void {
    this.#handshake = new Handshake(exported);
    this.#timer = setTimeout(() => this.#drop('no export chosen in time'), this.#limits.handshakeMs);
    this.#socket.write(encodeGreeting());
  }

  #received(bytes: Uint8Array): void {
    if (this.#handshake !== undefined) {
      this.#haggle(this.#handshake, bytes);
    } else {
      this.#packets.push(bytes);
      this.#packetBytes += bytes.length;
      if (!this.#held) this.#run();
      else if (this.#packetBytes > MAX_WAITING_BYTES) this.#socket.pause();
    }
  }

  #haggle(handshake: Handshake, bytes: Uint8Array): void {
    const { replies, next, rest, reason, structured } = handshake.take(bytes);
    for (const reply of replies) this.#socket.write(reply);
    if (next === 'close') {
      if (reason !== undefined) this.#events.log(`handshake ended: ${reason}`);
      this.#startLeaving();
    }
    if (next !== 'transmission') return;
    clearTimeout(this.#timer);
    this.#handshake = undefined;
    this.#replies.structured = structured;
    this.#received(rest);
  }

  /** Starts requests until all that came is read, or as many are in flight as may be. */
  #run(): void {
    while (!this.#leaving) {
      if (!this.#held && !this.#next()) break;
      this.#held = !this.#start();
      if (this.#held) break;
    }
    if (this.#packetBytes <= MAX_WAITING_BYTES && this.#socket.isPaused()) this.#socket.resume();
    this.#replies.flush();
  }

  /** Puts the next request into #request; false if none has come. */
  #next(): boolean {
    for (;;) {
      const found = this.#reader.next(this.#request);
      if (found === 'request') return true;
      if (found === 'broken') {
        this.#drop('bytes that are no request');
        return false;
      }
      const packet = this.#packets.shift();
      if (packet === undefined) return false;
      this.#packetBytes -= packet.length;
      this.#reader.take(packet);
    }
  }

  /** Starts #request; false if there is no room for it yet. */
  #start(): boolean {
    const request = this.#request;
    const { command, offset, length } = request;
    const error = requestError(request, this.#source.size, this.#replies.structured);
    const reads = command === COMMAND.READ && error === 0;
    const weight = REQUEST_WEIGHT + (reads ? length : 0);
    if (this.#inFlight > 0 && this.#inFlight + weight > this.#limits.inFlightBytes) return false;
    if (command === COMMAND.DISC) {
      this.#startLeaving();
      return true;
    }
    this.#inFlight += weight;
    if (!reads) {
      this.#replies.addStatus(request, error, weight);
      return true;
    }
    const data = this.#read(offset, length);
    if (data instanceof Uint8Array) {
      this.#replies.addRead(request, data, weight);
    } else {
      this.#reading += 1;
      this.#inFlight -= length;
      const { cookieHigh, cookieLow } = request;
      this.#await(data, { offset, length, cookieHigh, cookieLow, hasRoom: false });
    }
    return true;
  }

  #read(offset: number, length: number): Promise<Uint8Array> | Uint8Array {
    try {
      return this.#source.read(offset, length, this.#abort.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #await(reading: Promise<Uint8Array>, asked: PendingRead): void {
    const done = (data: Uint8Array): void => {
      if (this.#abort.signal.aborted) return;
      if (!asked.hasRoom && !this.#hasRoomFor(asked)) {
        this.#later.push(asked);
        this.#source.release?.(data);
        return;
      }
      this.#reading -= 1;
      if (asked.hasRoom) this.#answering -= 1;
      else this.#inFlight += asked.length;
      this.#replies.addRead(asked, data, REQUEST_WEIGHT + asked.length);
      this.#flushAfterThisRound();
    };
    reading.then(done, (error) => this.#readAgain(asked, error));
  }

  /** An error reply would at once be an I/O error of the file system above, so the request is held and tried again. */
  #readAgain(asked: PendingRead, error: unknown): void {
    const { signal } = this.#abort;
    if (signal.aborted) return;
    const { offset, length } = asked;
    const why = error instanceof Error ? error.message : String(error);
    this.#events.log(`read of ${length} bytes at ${offset} failed: ${why}: trying again`);
    const again = (): void => {
      signal.removeEventListener('abort', cancel);
      this.#await(Promise.resolve(this.#read(offset, length)), asked);
    };
    const timer = setTimeout(again, this.#limits.retryMs);
    const cancel = (): void => clearTimeout(timer);
    signal.addEventListener('abort', cancel, { once: true });
  }

  /** One read at least is always answered. */
  #hasRoomFor({ length }: PendingRead): boolean {
    return (this.#answering === 0 && !this.#replies.busy) || this.#inFlight + length <= this.#limits.inFlightBytes;
  }

  /** Reads that complete together go out together. */
  #flushAfterThisRound(): void {
    if (this.#flushSoon) return;
    this.#flushSoon = true;
    setImmediate(() => {
      this.#flushSoon = false;
      this.#replies.flush();
    });
  }

  #written(weight: number): void {
    this.#inFlight -= weight;
    for (let next = this.#later[0]; next !== undefined && this.#hasRoomFor(next); next = this.#later[0]) {
      this.#later.shift();
      this.#inFlight += next.length;
      this.#answering += 1;
      this.#await(Promise.resolve(this.#read(next.offset, next.length)), { ...next, hasRoom: true });
    }
    if (this.#held) this.#run();
    else if (this.#saidGoodbye && !this.#leaving) this.#endOfWords();
    if (this.#leaving) this.#endWhenIdle();
  }

  /** The client has taken its leave; what it was promised may still go out, but not for ever. */
  #startLeaving(): void {
    this.#leaving = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.destroy(), this.#limits.handshakeMs);
    this.#endWhenIdle();
  }

  /** After DISC what was asked before it is still answered ("Terminating the transmission phase"). */
  #endWhenIdle(): void {
    if (this.#reading === 0 && !this.#replies.busy) this.#socket.end();
  }

  /**
   * The client has closed its side. After DISC it may still listen, and is owed the answers to what it asked before;
   * without, it has gone, and no read is worth waiting for.
   */
  #hungUp(): void {
    if (this.#leaving) return;
    if (this.#held && endsWithDisc([this.#reader.rest, ...this.#packets])) {
      this.#saidGoodbye = true;
      return;
    }
    this.#endOfWords();
  }

  #endOfWords(): void {
    this.#abort.abort(new Error('the NBD client has gone'));
    this.#reading = 0;
    this.#later.length = 0;
    this.#startLeaving();
  }

  #drop(why: string): void {
    this.#events.log(`connection dropped: ${why}`);
    this.#socket.destroy();
  }

  #closed(): void {
    clearTimeout(this.#timer);
    this.#abort.abort(new Error('the NBD connection is closed'));
    this.#events.closed();
  }
}

/** Whether the last request of these packets takes its leave. */
function endsWithDisc(packets: readonly Uint8Array[]): boolean {
  const tail = Buffer.concat(packets.slice(-REQUEST_BYTES)).subarray(-REQUEST_BYTES);
  if (tail.length < REQUEST_BYTES) return false;
  const last = emptyRequest();
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  return readRequest(view, 0, last) && last.command === COMMAND.DISC;
}
