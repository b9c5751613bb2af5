import type { Server, Socket } from 'node:net';
import type { ConnectionId, FieldEvent } from '../event.ts';
import { type Address, type Endpoint, formatAddress, isUsable } from '../wire/address.ts';
import type { NodeId } from '../wire/record.ts';
import { Connection, type ConnectionEvents, type Identity } from './connection.ts';
import { Doorkeeper } from './doorkeeper.ts';
import type { Receiver } from './receiver.ts';

/** That connections cannot be taken is told no more often than this. */
const SAY_MS = 60_000;

export interface SwitchboardOptions {
  readonly identity: Identity;
  readonly listen: Endpoint;
  readonly receiver: Receiver;
  /** A host that a person wants nothing to do with. */
  readonly isRefused: (host: string) => boolean;
  readonly feed: (event: FieldEvent) => void;
  readonly log: (line: string) => void;
}

/** All TCP connections of a node, those it dialled and those that came, by their numbers. */
export class Switchboard {
  readonly #options: SwitchboardOptions;
  readonly #connections = new Map<ConnectionId, Connection>();
  /** Who is at the other end, once it has said so. */
  readonly #nodes = new Map<ConnectionId, NodeId>();
  readonly #doorkeeper = new Doorkeeper();
  /** Even ones; the machine's dials are odd. */
  #nextConn = 2;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(server: Server, options: SwitchboardOptions) {
    this.#options = options;
    server.on('connection', (socket) => this.#admit(socket));
    // One that could not be taken, for want of memory or of the system's files: whoever dialled tries again.
    server.on('error', (error) => this.#refusedBySystem(error));
  }

  #refusedBySystem({ message }: Error): void {
    const now = performance.now();
    if (now - this.#saidAt < SAY_MS) return;
    this.#saidAt = now;
    this.#options.log(`connections of others could not be taken: ${message}; they try again`);
  }

  get(conn: ConnectionId): Connection | undefined {
    return this.#connections.get(conn);
  }

  /** Who is at the other end. */
  nodeAt(conn: ConnectionId): NodeId | undefined {
    return this.#nodes.get(conn);
  }

  dial(conn: ConnectionId, address: Address): void {
    const { listen, identity } = this.#options;
    const from = listen.host === '0.0.0.0' || listen.host === '::' ? undefined : listen.host;
    this.#add(Connection.dial(conn, address, from, identity, this.#handlers(conn, 'connected')));
  }

  close(why: string): void {
    for (const connection of this.#connections.values()) connection.close(why);
  }

  #admit(socket: Socket): void {
    const { remoteAddress: host = '', remotePort: port = 0 } = socket;
    const plain = host.startsWith('::ffff:') ? host.slice(7) : host;
    if (!isUsable({ host, port }) || this.#options.isRefused(plain)) {
      socket.destroy();
      return;
    }
    const id = this.#nextConn;
    this.#nextConn += 2;
    let connection: Connection | undefined;
    const greeted = this.#doorkeeper.came(formatAddress(host, port), (why) => connection?.close(why));
    const handlers = this.#handlers(id, 'accepted');
    connection = Connection.accept(id, socket, this.#options.identity, {
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
    this.#add(connection);
  }

  #add(connection: Connection): void {
    this.#connections.set(connection.id, connection);
  }

  #handlers(conn: ConnectionId, kind: 'accepted' | 'connected'): ConnectionEvents {
    const { receiver, feed } = this.#options;
    const receiving = receiver.receiving(conn, kind === 'connected');
    return {
      ...receiving,
      opened: (node, address) => {
        this.#nodes.set(conn, node);
        feed({ kind, conn, node, address });
      },
      control: (frame) => feed({ kind: 'frame', conn, frame }),
      closed: (why, hostile) => {
        receiving.cut();
        this.#connections.delete(conn);
        feed({ kind: 'closed', conn, why, hostile });
        this.#nodes.delete(conn);
      },
    };
  }
}
