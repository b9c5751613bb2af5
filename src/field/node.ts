import { randomBytes } from 'node:crypto';
import type { Server } from 'node:net';
import { limitedLog } from '../codec/line-limit.ts';
import { carryChunks } from '../image/carried-chunks.ts';
import type { ChunkIndex } from '../image/chunk-index.ts';
import type { BlockSource } from '../nbd/block-source.ts';
import { BootHints } from './boot-hints.ts';
import { DatagramPort } from './edge/datagram-port.ts';
import { Faults } from './edge/faults.ts';
import { Receiver } from './edge/receiver.ts';
import { Sender } from './edge/sender.ts';
import { openSockets, type Sockets } from './edge/sockets.ts';
import { Switchboard } from './edge/switchboard.ts';
import { type PeerTraffic, type Traffic, TrafficCounter } from './edge/traffic.ts';
import type { Action, ConnectionId, FieldEvent } from './event.ts';
import { FieldMachine } from './machine.ts';
import { machineOptions } from './machine-setup.ts';
import type { FieldNodeOptions } from './node-options.ts';
import { OriginAsker } from './origin/origin-asker.ts';
import type { OriginStatus } from './origin/origins.ts';
import { seekIndex } from './origin/seek-index.ts';
import { FieldReader } from './reader.ts';
import type { Limits } from './shares/limits.ts';
import { Refusals } from './shares/refusals.ts';
import { BOOT_MS, settleCarried } from './store/carried-layer.ts';
import { ChunkHolder } from './store/chunk-holder.ts';
import { IndexDesk } from './store/index-desk.ts';
import type { IndexPiece } from './store/index-pieces.ts';
import { lengthsOf } from './store/lengths.ts';
import { PaperBox } from './store/paper-box.ts';
import { searchStore } from './store/search-store.ts';
import { Troubles } from './store/troubles.ts';
import { Turns } from './turns.ts';
import type { Address } from './wire/address.ts';
import { NO_PAPERS, type Papers } from './wire/papers.ts';
import type { NodeId } from './wire/record.ts';

/** Nodes that answer a seek by multicast, on average, however large the field. */
const OFFERS = 4;

/** The machine with sockets, memory and a clock. */
export class FieldNode {
  readonly machine: FieldMachine;
  readonly node: NodeId;
  readonly #traffic = new TrafficCounter();
  readonly refusals: Refusals;
  /** What boots read of the image: of this machine, and of its peers. */
  readonly boot = new BootHints((event) => this.#feed(event));
  readonly #options: FieldNodeOptions;
  readonly #datagrams: DatagramPort;
  readonly #server: Server;
  readonly #switchboard: Switchboard;
  readonly #sender: Sender;
  readonly #ready = Promise.withResolvers<ChunkIndex>();
  readonly #gone = Promise.withResolvers<void>();
  readonly #turns: Turns;
  readonly #arrived = new Map<number, Uint8Array>();
  readonly #troubles: Troubles;
  readonly #origins: OriginAsker | undefined;
  #index: ChunkIndex | undefined;
  readonly #indexDesk: IndexDesk;
  readonly #papers: PaperBox;
  #holder: ChunkHolder | undefined;
  #reader: FieldReader | undefined;
  #isClosed = false;

  private constructor(given: FieldNodeOptions, sockets: Sockets) {
    const options = { ...given, log: limitedLog(given.log) };
    this.#options = options;
    this.refusals = options.refusals ?? new Refusals();
    this.#papers = new PaperBox(options.papers ?? NO_PAPERS, options.rules ?? {});
    this.#indexDesk = new IndexDesk(options.id, this.#papers);
    this.#server = sockets.server;
    this.node = options.node ?? randomBytes(6).readUIntBE(0, 6);
    const life = Date.now();
    const { port } = sockets.udp.address();
    const isRefused = (host: string): boolean => this.refusals.has(host);
    const mustBeSigned = options.index === undefined && !this.#papers.isPromising;
    const multicast = sockets.group !== undefined;
    const setup = { node: this.node, life, port, multicast, mustBeSigned, isRefused };
    this.machine = new FieldMachine(machineOptions(options, setup));
    const faults = new Faults(options.log, {
      // Not as hostile: the fault is ours, whatever brought it about.
      drop: (conn) => this.#switchboard.get(conn)?.close('could not be served'),
      giveUp: (error) => {
        this.close();
        setImmediate(() => {
          throw error;
        });
      },
    });
    this.#turns = new Turns(this.machine, faults, {
      do: (action) => this.#do(action),
      over: (event) => {
        if (event.kind === 'chunk' || event.kind === 'origin') this.#arrived.delete(this.#firstOf(event.chunk));
      },
    });
    this.#troubles = new Troubles({
      holder: () => this.#holder,
      log: options.log,
      unwritten: (chunk) => this.#feed({ kind: 'unwritten', chunk }),
      unheld: (chunks) => this.#feed({ kind: 'unheld', chunks }),
      behind: (isBehind) => this.#feed({ kind: 'behind', isBehind }),
    });
    this.#switchboard = new Switchboard(sockets.server, {
      identity: { image: Buffer.from(options.id, 'hex'), node: this.node, life, port, key: options.key },
      listen: options.listen,
      receiver: this.#makeReceiver(),
      isRefused,
      feed: (event) => this.#feed(event),
      log: options.log,
    });
    this.#sender = new Sender({
      switchboard: this.#switchboard,
      traffic: this.#traffic,
      holder: () => this.#holder,
      indexDesk: this.#indexDesk,
      unread: (chunk, error) => this.#troubles.unread(chunk, error),
    });
    this.#origins =
      options.origins &&
      new OriginAsker(options.origins, options.log, {
        got: (chunk, bytes) => {
          this.#traffic.total.fromOrigin += bytes.length;
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
      isRefused,
      sought: (from, number, isMulticast) => this.#offer(number, from, isMulticast),
      rejected: (bytes) => this.#traffic.reject(bytes),
    });
  }

  /**
   * Opens the sockets and starts.
   * @throws the system's error when the address is not to be had
   */
  static async start(options: FieldNodeOptions): Promise<FieldNode> {
    const sockets = await openSockets(options);
    const node = new FieldNode(options, sockets);
    if (options.index !== undefined) node.#setIndex(options.index);
    else if (options.origins !== undefined && options.origins.count > 0) {
      const isWanted = (): boolean => node.#indexDesk.isWanting && !node.#isClosed;
      const take = (index: ChunkIndex): void => node.#setIndex(node.#indexDesk.bring(index));
      void seekIndex(options.origins, { ...options, isWanted, hasPeers: options.peers.length > 0, take });
    }
    node.#feed({ kind: 'start' });
    return node;
  }

  /** Has `watch` told of each read [offset, end) until it answers false. */
  watchReads(watch: (offset: number, end: number) => boolean): void {
    this.#reader?.watch(watch);
  }

  /** What other programs took of this machine's processors lately, 0 to 1: what is not urgent waits for a slow boot. */
  processors(others: number): void {
    this.#feed({ kind: 'processors', others });
  }

  get origins(): readonly OriginStatus[] {
    return this.#options.origins?.status() ?? [];
  }

  /** The address others reach this node at, as far as known. */
  get address(): Address {
    return this.machine.gossip.address;
  }

  get traffic(): Readonly<Traffic> {
    return this.#traffic.total;
  }

  trafficWith(node: NodeId): PeerTraffic {
    return this.#traffic.of(node);
  }

  get index(): ChunkIndex | undefined {
    return this.#index;
  }

  /** What is signed, as others are shown it. */
  get papers(): PaperBox {
    return this.#papers;
  }

  /** What waits for the disk of a store; null: there is none. */
  get storeWaiting(): { readonly bytes: number; readonly chunks: number } | null {
    return this.#holder?.waiting ?? null;
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

  /** From now on no more than this is sent and fetched. */
  limit(limits: Limits): void {
    this.#feed({ kind: 'limits', limits });
  }

  /** Has nothing to do with these from now on. @throws Error when one is no ADDRESS or ADDRESS/LENGTH */
  refuse(prefixes: readonly string[]): void {
    this.refusals.add(prefixes);
    this.#feed({ kind: 'refusals' });
  }

  /** Takes these back. @throws Error when one was not refused */
  admit(prefixes: readonly string[]): void {
    this.refusals.remove(prefixes);
    this.#feed({ kind: 'refusals' });
  }

  /** Fetches all of the image from now on, beside reads too. @throws Error when there is no room for it */
  preheat(): void {
    const { keep } = this.#options;
    const size = this.#index?.size ?? 0;
    const isHere = this.machine.data?.held.count === this.#index?.count;
    if (keep < size && !isHere)
      throw new Error(`the image has ${size} bytes, and this node keeps no more than ${keep}`);
    this.#feed({ kind: 'preheat' });
  }

  /** Makes another node of this field known to it. */
  join(address: Address): void {
    this.#feed({ kind: 'peer', address });
  }

  /** Hands over what only this node holds, says goodbye, and closes. */
  async leave(): Promise<void> {
    this.#feed({ kind: 'leave' });
    await this.#gone.promise;
    // The last datagrams are on their way when a turn of the event loop has passed.
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (this.#holder !== undefined) await this.#troubles.lastWrites(this.#holder);
    this.close();
  }

  /**
   * Leaves what is held in memory to the system after this one, in a directory.
   * @returns how many bytes, `mostBytes` at most
   * @throws Error when it cannot be written there
   */
  async carryOver(directory: string, mostBytes: number): Promise<number> {
    const [holder, index] = [this.#holder, this.#index];
    if (holder === undefined || index === undefined) return 0;
    return await carryChunks(directory, holder.toCarry(), index.hash, mostBytes);
  }

  /** Closes everything at once, as a crash would. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#turns.stop();
    this.#switchboard.close('this node ends');
    this.#server.close();
    this.#datagrams.close();
    this.#options.origins?.close();
  }

  #feed(event: FieldEvent): void {
    this.#turns.feed(event);
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
        this.#switchboard.dial(action.conn, action.address);
        return;
      case 'close':
        this.#switchboard.get(action.conn)?.close(action.why);
        return;
      case 'frame':
        this.#switchboard.get(action.conn)?.send(action.frame);
        return;
      case 'give':
        this.#sender.give(action.conn, action.chunk, action.chosen);
        return;
      case 'give index':
        this.#sender.giveIndex(action.conn, action.piece).catch((error: unknown) => this.#turns.failed(action, error));
        return;
      case 'give papers':
        this.#switchboard.get(action.conn)?.send({ kind: 'papers', ...this.#papers.papers });
        return;
      case 'take papers':
        this.#takePapers(action.papers);
        return;
      case 'take profile':
        this.boot.came(action.order);
        return;
      case 'keep': {
        const bytes = this.#arrived.get(this.#firstOf(action.chunk)) ?? this.#holder?.memory.get(action.chunk);
        if (bytes !== undefined) this.#holder?.keep(action.chunk, bytes, action.isLasting);
        return;
      }
      case 'drop':
        this.#holder?.drop(action.chunk);
        return;
      case 'ask origin':
        this.#origins?.ask(action.chunk, this.#index, action.urgent);
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

  #makeReceiver(): Receiver {
    return new Receiver({
      index: () => this.#index,
      holder: () => this.#holder,
      hasIndex: this.#options.index !== undefined,
      begun: (conn, chunk, chosen) => this.#feed({ kind: 'incoming', conn, chunk, chosen }),
      whole: (conn, chunk, bytes, good) => {
        this.#traffic.fromPeer(this.#switchboard.nodeAt(conn), bytes.length, good);
        if (good) this.#arrived.set(this.#firstOf(chunk), bytes);
        this.#feed({ kind: 'chunk', conn, chunk, good });
      },
      late: (conn, chunk, isHeld) => {
        if (isHeld) this.#feed({ kind: 'chunk', conn, chunk, good: true });
        else this.#switchboard.get(conn)?.close('a chunk came too late');
      },
      wholePiece: (conn, piece) => this.#takePiece(conn, piece),
    });
  }

  #takePiece(conn: ConnectionId, piece: IndexPiece): void {
    const { good, wanted, index } = this.#indexDesk.take(piece);
    if (!good) this.#traffic.fromPeer(this.#switchboard.nodeAt(conn), piece.bytes.length, false);
    this.#feed({ kind: 'index', conn, piece: piece.piece, good, wanted });
    this.#setIndex(index);
  }

  #takePapers(papers: Papers): void {
    this.#papers.take(papers, this.#options.log);
    if (this.#papers.isPromising) this.#feed({ kind: 'papers' });
    this.#setIndex(this.#indexDesk.signed());
  }

  #setIndex(index: ChunkIndex | undefined): void {
    if (index === undefined) return;
    const { medium, store, carried, keep } = this.#options;
    this.#index = index;
    this.#papers.admits(index);
    this.#indexDesk.know(index);
    const trouble = (chunk: number, error: unknown): void => this.#troubles.unread(chunk, error);
    const found = (chunks: readonly number[]): void => this.#feed({ kind: 'found', chunks });
    const events = {
      trouble,
      found,
      unwritten: (chunk: number, error: unknown) => this.#troubles.unwritten(chunk, error),
      torn: (chunks: readonly number[]) => this.#troubles.torn(chunks),
      behind: (isBehind: boolean) => this.#troubles.behind(isBehind),
    };
    const memoryBytes = store === undefined ? keep : 0;
    const holder = new ChunkHolder({ index, memoryBytes, medium, store, carried, events });
    this.#holder = holder;
    this.#reader = new FieldReader(index, holder, {
      read: (read, chunks) => this.#feed({ kind: 'read', read, chunks }),
      unread: (read) => this.#feed({ kind: 'unread', read }),
      trouble,
      isHeld: (chunk) => this.machine.data?.held.has(chunk) === true,
      touched: (first, last) => this.machine.touch(first, last, performance.now()),
      found,
    });
    const lengths = lengthsOf(index, holder.twins);
    this.#feed({ kind: 'layout', lengths, held: holder.initial(), free: medium !== undefined });
    if (holder.carried.length > 0) {
      found(holder.carried);
      const waitMs = this.#options.readsFirst === true ? BOOT_MS : 0;
      setTimeout(() => void settleCarried(holder, trouble, () => this.#isClosed), waitMs).unref();
    }
    void searchStore(holder, found, this.#options.log).then(() => this.#ready.resolve(index));
  }

  /** Of chunks that are the same bytes the first stands for all. */
  #firstOf(chunk: number): number {
    return this.#holder?.twins.firstOf(chunk) ?? chunk;
  }
}
