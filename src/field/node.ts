import { createHmac, randomBytes } from 'node:crypto';
import type { Server, Socket } from 'node:net';
import { type ChunkIndex, verifyIndex } from '../image/chunk-index.ts';
import type { ChunkStore } from '../image/chunk-store.ts';
import type { BlockSource } from '../nbd/block-source.ts';
import { Alarm } from './edge/alarm.ts';
import { Connection, type ConnectionEvents, type Identity } from './edge/connection.ts';
import { DatagramPort } from './edge/datagram-port.ts';
import { Doorkeeper } from './edge/doorkeeper.ts';
import { Faults } from './edge/faults.ts';
import { Receiver } from './edge/receiver.ts';
import { openSockets, type Sockets } from './edge/sockets.ts';
import type { Action, ConnectionId, FieldEvent } from './event.ts';
import { FieldMachine } from './machine.ts';
import { FieldReader } from './reader.ts';
import { ChunkHolder } from './store/chunk-holder.ts';
import { type IndexPiece, IndexPieces } from './store/index-pieces.ts';
import { IndexTaker } from './store/index-taker.ts';
import type { Medium } from './store/medium-layer.ts';
import type { Origins } from './store/origin.ts';
import { OriginAsker } from './store/origin-asker.ts';
import { type Address, type Endpoint, formatAddress, isUsable } from './wire/address.ts';
import { encodeIndexHeader, LAST_PIECE } from './wire/frame.ts';
import type { FieldKey } from './wire/key.ts';
import { toRanges } from './wire/ranges.ts';
import type { NodeId } from './wire/record.ts';

export interface FieldNodeOptions {
  /** The image id, 64 hex digits. */
  readonly id: string;
  /** What people call the image. */
  readonly name: string;
  /** Known when the image is here; else it comes from the peers, checked against the id. */
  readonly index?: ChunkIndex | undefined;
  readonly medium?: Medium | undefined;
  readonly store?: ChunkStore | undefined;
  readonly listen: Endpoint;
  readonly peers: readonly Address[];
  readonly multicast: boolean;
  /** Bytes of chunks to keep. */
  readonly keep: number;
  /** This machine runs from the field: what it keeps for others waits until it reads no more. */
  readonly readsFirst?: boolean;
  readonly key?: FieldKey | undefined;
  readonly node?: NodeId | undefined;
  readonly origins?: Origins | undefined;
  readonly log: (line: string) => void;
}

export interface Traffic {
  fromPeers: number;
  fromMedium: number;
  fromOrigin: number;
  toPeers: number;
  rejected: number;
}

/** Nobody waits longer for a directory to be searched before reads are served. */
const SEARCH_MS = 2000;
/** Bytes of the index, or whatever else, that one who asks for more of it has not read. */
const INDEX_UNREAD = 2 << 20;
/** Trouble with what is held here is told no more often than this. */
const TROUBLE_SAY_MS = 10_000;

/** Nodes that answer a seek by multicast, on average, however large the field. */
const OFFERS = 4;

/** The machine with sockets, memory and a clock. */
export class FieldNode {
  readonly machine: FieldMachine;
  readonly node: NodeId;
  readonly traffic: Traffic = { fromPeers: 0, fromMedium: 0, fromOrigin: 0, toPeers: 0, rejected: 0 };
  readonly #options: FieldNodeOptions;
  readonly #identity: Identity;
  readonly #datagrams: DatagramPort;
  readonly #server: Server;
  readonly #connections = new Map<ConnectionId, Connection>();
  readonly #queue: FieldEvent[] = [];
  readonly #ready = Promise.withResolvers<ChunkIndex>();
  readonly #gone = Promise.withResolvers<void>();
  readonly #receiver: Receiver;
  readonly #alarm = new Alarm(() => this.#feed({ kind: 'wake' }));
  readonly #arrived = new Map<number, Uint8Array>();
  readonly #doorkeeper = new Doorkeeper();
  readonly #faults: Faults;
  readonly #origins: OriginAsker | undefined;
  #troubleSaidAt = Number.NEGATIVE_INFINITY;
  #isProbing = false;
  #index: ChunkIndex | undefined;
  #pieces: IndexPieces | undefined;
  #taker: IndexTaker;
  #holder: ChunkHolder | undefined;
  #reader: FieldReader | undefined;
  #nextConn = 2;
  #isRunning = false;
  #isArming = false;
  #isClosed = false;

  private constructor(options: FieldNodeOptions, sockets: Sockets) {
    this.#options = options;
    this.#taker = new IndexTaker(options.id);
    this.#server = sockets.server;
    this.node = options.node ?? randomBytes(6).readUIntBE(0, 6);
    const life = Date.now();
    const { port } = sockets.udp.address();
    this.#identity = { image: Buffer.from(options.id, 'hex'), node: this.node, life, port, key: options.key };
    const secret = randomBytes(16);
    this.machine = new FieldMachine({
      field: options.id.slice(0, 16),
      node: this.node,
      life,
      address: formatAddress(options.listen.host, port),
      peers: options.peers,
      multicast: sockets.group !== undefined,
      random: Math.random,
      cookie: (address) => createHmac('sha256', secret).update(address).digest().subarray(0, 8),
      keep: options.keep,
      fill: true,
      readsFirst: options.readsFirst ?? false,
      hasOrigin: (options.origins?.count ?? 0) > 0,
    });
    this.#faults = new Faults(options.log, {
      // Not as hostile: the fault is ours, whatever brought it about.
      drop: (conn) => this.#connections.get(conn)?.close('could not be served'),
      giveUp: (error) => {
        this.close();
        setImmediate(() => {
          throw error;
        });
      },
    });
    this.#receiver = this.#makeReceiver();
    this.#origins =
      options.origins &&
      new OriginAsker(options.origins, options.log, {
        got: (chunk, bytes) => {
          this.traffic.fromOrigin += bytes.length;
          this.#arrived.set(this.#firstOf(chunk), bytes);
          this.#feed({ kind: 'origin', chunk, good: true });
        },
        failed: (chunk) => this.#feed({ kind: 'origin', chunk, good: false }),
      });
    this.#datagrams = new DatagramPort(sockets, options.listen, options.key, {
      datagram: (from, datagram, size, isMulticast) => {
        if (datagram.field === options.id.slice(0, 16))
          this.#feed({ kind: 'datagram', from, datagram, size, isMulticast });
      },
      sought: (from, number, isMulticast) => this.#offer(number, from, isMulticast),
      rejected: (bytes) => {
        this.traffic.rejected += bytes;
      },
    });
    this.#server.on('connection', (socket) => this.#admit(socket));
  }

  /**
   * Opens the sockets and starts.
   * @throws the system's error when the address is not to be had
   */
  static async start(options: FieldNodeOptions): Promise<FieldNode> {
    const sockets = await openSockets(options);
    const node = new FieldNode(options, sockets);
    if (options.index !== undefined) node.#setIndex(options.index);
    node.#feed({ kind: 'start' });
    return node;
  }

  /** The address others reach this node at, as far as known. */
  get address(): Address {
    return this.machine.gossip.address;
  }

  get index(): ChunkIndex | undefined {
    return this.#index;
  }

  get bytesFromMedium(): number {
    return this.#holder?.bytesFromMedium ?? 0;
  }

  /** Settles when the index is known: from then on reads are served. */
  ready(): Promise<ChunkIndex> {
    return this.#ready.promise;
  }

  /** The image as a block source; its reads wait for as long as they must. */
  get source(): BlockSource {
    if (this.#reader === undefined) throw new Error('the chunk index is not known yet');
    return this.#reader;
  }

  /** Hands over what only this node holds, says goodbye, and closes. */
  async leave(): Promise<void> {
    this.#feed({ kind: 'leave' });
    await this.#gone.promise;
    // The last datagrams are on their way when a turn of the event loop has passed.
    await new Promise((resolve) => setTimeout(resolve, 20));
    this.close();
  }

  /** Closes everything at once, as a crash would. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#alarm.stop();
    for (const connection of this.#connections.values()) connection.close('this node ends');
    this.#server.close();
    this.#datagrams.close();
  }

  #feed(event: FieldEvent): void {
    if (this.#isClosed) return;
    this.#queue.push(event);
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      let actions: readonly Action[] = [];
      try {
        actions = this.machine.handle(next, performance.now());
        if (next.kind === 'wake') this.#faults.wentWell();
      } catch (error) {
        this.#faults.at(next, error);
      }
      for (const action of actions) this.#try(action);
      if (next.kind === 'chunk' || next.kind === 'origin') this.#arrived.delete(this.#firstOf(next.chunk));
    }
    this.#isRunning = false;
    // Once for all that is taken in one turn.
    if (this.#isArming) return;
    this.#isArming = true;
    queueMicrotask(() => this.#arm());
  }

  #arm(): void {
    this.#isArming = false;
    if (!this.#isClosed) this.#alarm.set(this.machine.nextWake());
  }

  /** What cannot be done costs that one action: a message is not sent, a chunk not given. */
  #try(action: Action): void {
    try {
      this.#do(action);
    } catch (error) {
      this.#faults.doing(action, error);
    }
  }

  #do(action: Action): void {
    switch (action.kind) {
      case 'send':
        this.#datagrams.send(action.datagram, action.to);
        return;
      case 'multicast':
        this.#datagrams.call(action.datagram);
        return;
      case 'dial':
        this.#dial(action.conn, action.address);
        return;
      case 'close':
        this.#connections.get(action.conn)?.close(action.why);
        return;
      case 'frame':
        this.#connections.get(action.conn)?.send(action.frame);
        return;
      case 'give':
        this.#give(action.conn, action.chunk, action.chosen);
        return;
      case 'give index':
        this.#giveIndex(action.conn, action.piece).catch((error: unknown) => this.#faults.doing(action, error));
        return;
      case 'keep': {
        const bytes = this.#arrived.get(this.#firstOf(action.chunk));
        if (bytes !== undefined) this.#holder?.keep(action.chunk, bytes);
        return;
      }
      case 'drop':
        this.#holder?.drop(action.chunk);
        return;
      case 'ask origin':
        this.#origins?.ask(action.chunk, this.#index);
        return;
      case 'ready':
        this.#reader?.ready(action.read);
        return;
      case 'log':
        this.#options.log(action.text);
        return;
      case 'gone':
        this.#gone.resolve();
        return;
      default:
    }
  }

  /** Tells a machine that looks for any field of this one. */
  #offer(number: number, to: Address, isMulticast: boolean): void {
    const { id, name } = this.#options;
    const sizeBytes = this.#index?.size;
    if (sizeBytes === undefined || (isMulticast && Math.random() * this.machine.gossip.table.size > OFFERS)) return;
    this.#datagrams.offer({ number, node: this.node, id, sizeBytes, name }, to);
  }

  #dial(conn: ConnectionId, address: Address): void {
    const { host } = this.#options.listen;
    const from = host === '0.0.0.0' || host === '::' ? undefined : host;
    this.#accept((events) => Connection.dial(conn, address, from, this.#identity, events(conn, 'connected')));
  }

  #admit(socket: Socket): void {
    const { remoteAddress: host = '', remotePort: port = 0 } = socket;
    if (!isUsable({ host, port })) {
      socket.destroy();
      return;
    }
    const id = this.#nextConn;
    this.#nextConn += 2;
    let connection: Connection | undefined;
    const greeted = this.#doorkeeper.came(formatAddress(host, port), (why) => connection?.close(why));
    this.#accept((events) => {
      const handlers = events(id, 'accepted');
      connection = Connection.accept(id, socket, this.#identity, {
        ...handlers,
        opened: (node, address) => {
          greeted();
          handlers.opened(node, address);
        },
        closed: (why, hostile) => {
          greeted();
          handlers.closed(why, hostile);
        },
      });
      return connection;
    });
  }

  #accept(make: (events: (id: ConnectionId, kind: 'accepted' | 'connected') => ConnectionEvents) => Connection): void {
    const connection = make((id, kind) => this.#handlers(id, kind));
    this.#connections.set(connection.id, connection);
  }

  #handlers(conn: ConnectionId, kind: 'accepted' | 'connected'): ConnectionEvents {
    const receiving = this.#receiver.receiving(conn, kind === 'connected');
    return {
      ...receiving,
      opened: (node, address) => this.#feed({ kind, conn, node, address }),
      control: (frame) => this.#feed({ kind: 'frame', conn, frame }),
      closed: (why, hostile) => {
        receiving.cut();
        this.#connections.delete(conn);
        this.#feed({ kind: 'closed', conn, why, hostile });
      },
    };
  }

  #makeReceiver(): Receiver {
    return new Receiver({
      index: () => this.#index,
      holder: () => this.#holder,
      hasIndex: this.#options.index !== undefined,
      begun: (conn, chunk, chosen) => this.#feed({ kind: 'incoming', conn, chunk, chosen }),
      whole: (conn, chunk, bytes, good) => {
        if (good) this.traffic.fromPeers += bytes.length;
        else this.traffic.rejected += bytes.length;
        if (good) this.#arrived.set(this.#firstOf(chunk), bytes);
        this.#feed({ kind: 'chunk', conn, chunk, good });
      },
      late: (conn, chunk, isHeld) => {
        if (isHeld) this.#feed({ kind: 'chunk', conn, chunk, good: true });
        else this.#connections.get(conn)?.close('a chunk came too late');
      },
      wholePiece: (conn, piece) => this.#takePiece(conn, piece),
    });
  }

  #give(conn: ConnectionId, chunk: number, chosen: boolean): void {
    const connection = this.#connections.get(conn);
    const loaded = this.#holder?.load(chunk);
    if (connection === undefined || loaded === undefined) return;
    if (loaded instanceof Promise) {
      loaded.then(
        (bytes) => this.#giveBytes(connection, chunk, chosen, bytes),
        (error: unknown) => {
          this.#trouble(chunk, error);
          connection.close('a chunk could not be read');
        },
      );
    } else this.#giveBytes(connection, chunk, chosen, loaded);
  }

  #giveBytes(connection: Connection, chunk: number, chosen: boolean, bytes: Uint8Array): void {
    connection.give(chunk, chosen, bytes);
    this.traffic.toPeers += bytes.length;
  }

  async #giveIndex(conn: ConnectionId, wanted: number): Promise<void> {
    const connection = this.#connections.get(conn);
    if (connection === undefined) return;
    // Who does not read what it asked for gets no more: it will ask again.
    const mayTake = (): boolean => connection.unsent <= INDEX_UNREAD;
    await this.#pieces?.give(wanted, mayTake, (piece) => {
      connection.write(encodeIndexHeader(piece, piece.bytes.length));
      connection.write(piece.bytes);
    });
  }

  #takePiece(conn: ConnectionId, piece: IndexPiece): void {
    const good = this.#index !== undefined || this.#taker.take(piece) === 'good';
    if (!good) this.traffic.rejected += piece.bytes.length;
    const wanted = this.#index === undefined ? this.#taker.wanted() : [];
    this.#feed({ kind: 'index', conn, piece: piece.piece, good, wanted: wanted ?? [LAST_PIECE] });
    if (this.#index === undefined && this.#taker.isWhole)
      this.#setIndex(verifyIndex(this.#taker.bytes(), this.#options.id));
  }

  #setIndex(index: ChunkIndex): void {
    const { medium, store, keep } = this.#options;
    this.#index = index;
    this.#pieces = new IndexPieces(index);
    // What it was put together from is not needed any more.
    this.#taker = new IndexTaker(this.#options.id);
    const events = {
      trouble: (chunk: number, error: unknown) => this.#trouble(chunk, error),
      unwritten: (chunk: number, error: unknown) => this.#unwritten(chunk, error),
    };
    const holder = new ChunkHolder({ index, memoryBytes: store === undefined ? keep : 0, medium, store, events });
    this.#holder = holder;
    this.#reader = new FieldReader(index, holder, {
      read: (read, chunks) => this.#feed({ kind: 'read', read, chunks }),
      unread: (read) => this.#feed({ kind: 'unread', read }),
      trouble: (chunk, error) => this.#trouble(chunk, error),
      isHeld: (chunk) => this.machine.data?.held.has(chunk) === true,
      touched: (first, last) => this.machine.touch(first, last, performance.now()),
      found: (chunks) => this.#feed({ kind: 'found', chunks }),
    });
    const lengths = {
      count: index.count,
      size: index.size,
      length: (chunk: number) => index.length(chunk),
      othersLike: (chunk: number) => holder.twins.othersOf(chunk),
      firstLike: (chunk: number) => holder.twins.firstOf(chunk),
      alike: () => holder.twins.alike(),
    };
    this.#feed({ kind: 'layout', lengths, held: holder.initial(), free: medium !== undefined });
    if (holder.isSearching) void this.#searchDisk(holder, index);
    else this.#ready.resolve(index);
  }

  /** Most directories are searched in a moment; of a large one each chunk is looked for when it is read, until then. */
  async #searchDisk(holder: ChunkHolder, index: ChunkIndex): Promise<void> {
    const timer = setTimeout(() => this.#ready.resolve(index), SEARCH_MS);
    try {
      await holder.searchDisk((chunks) => this.#feed({ kind: 'found', chunks }));
    } catch (error) {
      this.#options.log(`the store cannot be searched: ${error instanceof Error ? error.message : String(error)}`);
    }
    clearTimeout(timer);
    this.#ready.resolve(index);
  }

  /** Of chunks that are the same bytes the first stands for all. */
  #firstOf(chunk: number): number {
    return this.#holder?.twins.firstOf(chunk) ?? chunk;
  }

  #unwritten(chunk: number, error: unknown): void {
    this.#sayTrouble(`chunk ${chunk} cannot be kept`, error);
    this.#feed({ kind: 'unwritten', chunk });
  }

  #trouble(chunk: number, error: unknown): void {
    this.#sayTrouble(`chunk ${chunk} cannot be read here`, error);
    this.#feed({ kind: 'unheld', chunks: [{ start: chunk, end: chunk + 1 }] });
    if (!this.#isProbing) void this.#probeMedium();
  }

  #sayTrouble(what: string, error: unknown): void {
    const now = performance.now();
    if (now - this.#troubleSaidAt < TROUBLE_SAY_MS) return;
    this.#troubleSaidAt = now;
    this.#options.log(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }

  /** Others are told at once of all that went with a medium, and do not find it out chunk by chunk. */
  async #probeMedium(): Promise<void> {
    this.#isProbing = true;
    const lost = (await this.#holder?.lostWithMedium()) ?? [];
    this.#isProbing = false;
    if (lost.length === 0) return;
    this.#options.log(`the medium is gone, and with it ${lost.length} chunks: they come from others from now on`);
    this.#feed({ kind: 'unheld', chunks: toRanges(lost) });
  }
}
