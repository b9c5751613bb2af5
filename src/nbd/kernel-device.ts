import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../linux/errno.ts';
import { socketPair } from '../linux/socket/socket-pair.ts';
import type { BlockSource } from './block-source.ts';
import type { NbdDriver } from './kernel-driver.ts';
import { padToBlocks } from './padded-source.ts';
import { NbdServer, SERVER_FLAGS } from './server.ts';

/** Whole pages: what the page cache reads anyway. squashfs takes it; its images are padded to it. */
const BLOCK_BYTES = 4096;

/**
 * How the kernel waits. The driver's own request timeout stays 0 on a device with one connection: then a request that
 * takes long is never failed and never costs the connection its life; the kernel only looks at it every
 * REQUEST_LOOK_MS (and says "Possible stuck request" in its log), and sends it again if there has been a new socket
 * since. So that time is also the longest that requests which died with a daemon wait after its restart. With several
 * connections the same timeout would cut the connection of every slow request.
 * (drivers/block/nbd.c, nbd_xmit_timeout)
 */
const REQUEST_LOOK_MS = 3000;
/** The driver starts with 128 KiB. Measured in QEMU: reads of 1 MiB at a time take half as long with this. */
const MAX_REQUEST_KIB = 1024;
/** While there is no socket at all, I/O waits this long before it fails: 30 days. */
const DEAD_CONNECTION_SECONDS = 30 * 24 * 3600;

const FIRST_RECONNECT_MS = 50;
const SLOWEST_RECONNECT_MS = 5000;

export interface KernelDeviceOptions {
  /** The driver, as openNbdDriver gives it. It is closed with the device. */
  readonly driver: NbdDriver;
  readonly source: BlockSource;
  /**
   * What the device holds: the image's id. A device that is connected under the same identifier is one whose daemon
   * died: it is taken over, and its I/O goes on.
   */
  readonly identifier: string;
  /** N of /dev/nbdN. Undefined: the device to be taken over, else the first free one. */
  readonly index?: number | undefined;
  readonly log?: (line: string) => void;
  /** For tests. Default: a socket pair. */
  readonly makeEnds?: () => ConnectionEnds;
}

/** The two ends of a connection. */
export interface ConnectionEnds {
  /** The kernel's, as a descriptor; it takes a reference of its own, so that release() must follow. */
  readonly kernelFd: number;
  readonly socket: Socket;
  /** Closes our copy of the kernel's end. */
  release(): void;
}

function connectedEnds(): ConnectionEnds {
  const { first, second } = socketPair();
  return {
    kernelFd: second,
    socket: new Socket({ fd: first, readable: true, writable: true, allowHalfOpen: true }),
    release: () => closeSync(second),
  };
}

/**
 * A block source as /dev/nbdN. Whatever happens to the socket between kernel and daemon, the device gets a new one;
 * I/O waits meanwhile.
 */
export class KernelDevice {
  readonly index: number;
  /** True if the device was there already, with I/O waiting for this daemon's predecessor. */
  readonly takenOver: boolean;
  readonly #driver: NbdDriver;
  readonly #server: NbdServer;
  readonly #identifier: string;
  readonly #log: (line: string) => void;
  readonly #makeEnds: () => ConnectionEnds;
  readonly #ended = Promise.withResolvers<string>();
  readonly #stop = new AbortController();

  private constructor(index: number, takenOver: boolean, server: NbdServer, options: KernelDeviceOptions) {
    this.index = index;
    this.takenOver = takenOver;
    this.#driver = options.driver;
    this.#server = server;
    this.#identifier = options.identifier;
    this.#log = options.log ?? (() => {});
    this.#makeEnds = options.makeEnds ?? connectedEnds;
  }

  /**
   * Connects a device, or takes over the one whose daemon died.
   * @throws SyscallError when the kernel refuses (EBUSY: the device serves something else)
   */
  static async attach(options: KernelDeviceOptions): Promise<KernelDevice> {
    const { driver, identifier } = options;
    const source = padToBlocks(options.source, BLOCK_BYTES);
    const server = new NbdServer({ source, ...(options.log === undefined ? {} : { log: options.log }) });
    const left = await findLeft(driver, identifier, options.index);
    const ends = (options.makeEnds ?? connectedEnds)();
    try {
      server.serveKernel(ends.socket);
      const index = left ?? (await connectDevice(options, source.size, ends.kernelFd));
      if (left !== undefined) await driver.reconfigure(left, identifier, ends.kernelFd);
      const device = new KernelDevice(index, left !== undefined, server, options);
      device.#watch(ends.socket);
      return device;
    } catch (error) {
      await server.close();
      throw error;
    } finally {
      ends.release();
    }
  }

  get path(): string {
    return `/dev/nbd${this.index}`;
  }

  /** Settles with the reason when the device is no more: detached here, or disconnected by someone else. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** Whether somebody has it mounted, or holds it for himself in another way: open(2), O_EXCL on a block device. */
  inUse(): boolean {
    try {
      closeSync(openSync(this.path, constants.O_RDONLY | constants.O_EXCL));
      return false;
    } catch (error) {
      return !hasCode(error, 'ENXIO', 'ENOENT');
    }
  }

  /** Disconnects the device. What still uses it gets I/O errors: unmount first. */
  async detach(): Promise<void> {
    this.#stop.abort();
    await this.#driver.disconnect(this.index);
    await this.#finish('detached');
  }

  /** Lets go of the device without disconnecting it: I/O waits for the next daemon. */
  async abandon(): Promise<void> {
    this.#stop.abort();
    await this.#finish('left to the next daemon');
  }

  #watch(socket: Socket): void {
    socket.once('close', () => {
      if (this.#stop.signal.aborted) return;
      this.#reconnect().catch((error: unknown) => this.#ended.reject(error));
    });
  }

  /** The kernel has given up the socket (or someone has disconnected the device): it gets another, however long it takes. */
  async #reconnect(): Promise<void> {
    for (let delayMs = FIRST_RECONNECT_MS; ; delayMs = Math.min(2 * delayMs, SLOWEST_RECONNECT_MS)) {
      await sleep(delayMs, undefined, { signal: this.#stop.signal }).catch(() => {});
      if (this.#stop.signal.aborted) return;
      try {
        if (await this.#isConnected()) await this.#giveNewSocket();
        else await this.#finish('disconnected by someone else');
        return;
      } catch (error) {
        this.#log(`${this.path}: no new connection yet: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  async #isConnected(): Promise<boolean> {
    const devices = await this.#driver.status();
    return devices.some(({ index, connected }) => connected && index === this.index);
  }

  async #giveNewSocket(): Promise<void> {
    const ends = this.#makeEnds();
    try {
      await this.#driver.reconfigure(this.index, this.#identifier, ends.kernelFd);
      this.#server.serveKernel(ends.socket);
      this.#watch(ends.socket);
      this.#log(`${this.path}: the kernel let go of its connection and has a new one`);
    } catch (error) {
      ends.socket.destroy();
      throw error;
    } finally {
      ends.release();
    }
  }

  async #finish(reason: string): Promise<void> {
    await this.#server.close();
    this.#driver.close();
    this.#ended.resolve(reason);
  }
}

/** The device whose daemon died, if there is one. */
async function findLeft(driver: NbdDriver, identifier: string, wanted?: number): Promise<number | undefined> {
  const connected = (await driver.status()).filter((device) => device.connected);
  const left = connected.find(({ index }) => driver.backendOf(index) === identifier);
  return wanted === undefined || left?.index === wanted ? left?.index : undefined;
}

async function connectDevice(options: KernelDeviceOptions, sizeBytes: number, fd: number): Promise<number> {
  const { driver, identifier } = options;
  const index = await driver.connect({
    index: options.index,
    sizeBytes,
    blockBytes: BLOCK_BYTES,
    flags: SERVER_FLAGS,
    identifier,
    deadConnectionSeconds: DEAD_CONNECTION_SECONDS,
    fd,
  });
  driver.setQueue(index, { io_timeout: REQUEST_LOOK_MS, max_sectors_kb: MAX_REQUEST_KIB });
  return index;
}
