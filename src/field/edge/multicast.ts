import type { Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { DEFAULT_PORT, MULTICAST_GROUP } from '../wire/protocol.ts';

/** A wire that comes later, with its driver or its cable, is found within this time. */
const LOOK_EVERY_MS = 3000;

/** IPv4 addresses of the interfaces that are up and have a wire; only `host` when that is no wildcard. */
export function wireAddresses(host: string, interfaces = networkInterfaces()): readonly string[] {
  const all = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
  return host === '0.0.0.0' ? all : all.filter((address) => address === host);
}

/**
 * The field's group on every wire of this machine, as they come and go. The kernel would take one wire only, by its
 * routes, and none at all where there is no default route.
 */
export class Multicast {
  readonly #udp: Socket;
  readonly #group: Socket | undefined;
  readonly #host: string;
  readonly #joined = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #sending: Promise<void> = Promise.resolve();

  /**
   * @param udp what is called out comes from this socket
   * @param group is bound to the group's address and becomes its member; undefined: nothing is to be heard
   */
  constructor(udp: Socket, group: Socket | undefined, host: string) {
    this.#udp = udp;
    this.#group = group;
    this.#host = host;
    this.#join();
    this.#timer = setInterval(() => this.#join(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** Calls out on every wire. What is lost is said again by whoever says it. */
  send(bytes: Uint8Array): void {
    this.#sending = this.#sending.then(async () => {
      for (const address of wireAddresses(this.#host)) await this.#sendBy(address, bytes);
    });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #join(): void {
    const addresses = wireAddresses(this.#host);
    for (const gone of this.#joined) if (!addresses.includes(gone)) this.#joined.delete(gone);
    for (const address of addresses) {
      if (this.#joined.has(address)) continue;
      this.#joined.add(address);
      try {
        this.#group?.addMembership(MULTICAST_GROUP, address);
      } catch {
        // It is a member on that wire still (EADDRINUSE), or the address went meanwhile: the next look finds it again.
      }
    }
  }

  #sendBy(address: string, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      try {
        this.#udp.setMulticastInterface(address);
        this.#udp.send(bytes, DEFAULT_PORT, MULTICAST_GROUP, () => resolve());
      } catch {
        resolve(); // the wire has gone, or this node has ended
      }
    });
  }
}
