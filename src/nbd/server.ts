import { once } from 'node:events';
import { lstatSync, unlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { BlockSource } from './block-source.ts';
import { Connection, type ConnectionLimits, DEFAULT_LIMITS } from './connection.ts';
import type { ExportDescription } from './handshake.ts';
import { EXPORT_FLAG } from './protocol.ts';

/** Where a server listens. */
export type NbdAddress = { readonly path: string } | { readonly host: string; readonly port: number };

export interface NbdServerOptions {
  readonly source: BlockSource;
  /** The export's name; the empty name works as well. At most 4096 bytes. */
  readonly name?: string;
  /** Shown to people who ask (`nbdinfo`). */
  readonly description?: string;
  readonly limits?: Partial<ConnectionLimits>;
  /** Rare events an operator should see: dropped clients, failed reads. */
  readonly log?: (line: string) => void;
}

/** What every export says of itself. Several connections see the same bytes, since none can write. */
export const SERVER_FLAGS =
  EXPORT_FLAG.HAS_FLAGS | EXPORT_FLAG.READ_ONLY | EXPORT_FLAG.SEND_FLUSH | EXPORT_FLAG.CAN_MULTI_CONN;

/** Clients at once; each may hold DEFAULT_LIMITS.inFlightBytes. */
const MAX_CONNECTIONS = 64;

/** Serves one read-only block source to any number of NBD clients, on any number of sockets. */
export class NbdServer {
  readonly #source: BlockSource;
  readonly #export: ExportDescription;
  readonly #limits: ConnectionLimits;
  readonly #log: (line: string) => void;
  readonly #servers = new Set<Server>();
  readonly #connections = new Set<Connection>();
  #closed = false;

  constructor(options: NbdServerOptions) {
    this.#source = options.source;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#log = options.log ?? (() => {});
    this.#export = {
      name: options.name ?? '',
      description: options.description ?? '',
      size: options.source.size,
      flags: SERVER_FLAGS,
    };
  }

  /** Clients connected now. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Listens on a unix or TCP socket. A unix socket left behind by a server that died is replaced; one that is served
   * is not.
   * @returns the address, with the port the system chose if 0 was asked for
   * @throws the system's error (EADDRINUSE, EACCES …)
   */
  async listen(address: NbdAddress): Promise<NbdAddress> {
    if ('path' in address) await removeDeadSocket(address.path);
    const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
      this.#accept(socket, this.#export),
    );
    server.maxConnections = MAX_CONNECTIONS;
    server.listen('path' in address ? { path: address.path } : { host: address.host, port: address.port });
    await once(server, 'listening');
    this.#servers.add(server);
    server.on('error', (error) => this.#log(`listening socket: ${error.message}`));
    server.on('drop', () => this.#log(`more than ${MAX_CONNECTIONS} clients: one refused`));
    const bound = server.address() as AddressInfo | string;
    return typeof bound === 'string' ? { path: bound } : { host: bound.address, port: bound.port };
  }

  /**
   * Serves a client without handshake: the kernel, which begins with requests. The socket must allow half-open
   * connections.
   */
  serveKernel(socket: Socket): void {
    this.#accept(socket, undefined);
  }

  /** Stops listening, drops every client, aborts every read. */
  async close(): Promise<void> {
    this.#closed = true;
    const closing = [...this.#servers].map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const connection of this.#connections) connection.destroy();
    await Promise.all(closing);
    this.#servers.clear();
  }

  #accept(socket: Socket, exported: ExportDescription | undefined): void {
    if (this.#closed) {
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, this.#source, exported, this.#limits, {
      log: (line) => this.#log(line),
      closed: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }
}

async function removeDeadSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || !found.isSocket()) return;
  const probe = connect(path);
  const served = await new Promise<boolean>((resolve) => {
    probe.once('connect', () => resolve(true));
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
  probe.destroy();
  if (!served) unlinkSync(path);
}
