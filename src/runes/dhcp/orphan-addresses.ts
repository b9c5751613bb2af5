import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import { isAddressTaken } from './arp-probe.ts';

/** iPXE says something on an idle connection every 15 s (TCP_KEEPALIVE_DELAY in its net/tcp.c), and not before. */
const ADOPTED_MS = 20_000;
const ANNOUNCEMENTS = '3';

export interface OrphanOptions {
  readonly interfaceName: string;
  readonly busybox: string;
  readonly log: (line: string) => void;
  /** Gives every address back. */
  readonly signal: AbortSignal;
}

/**
 * Addresses of machines that went without a word, taken for a few seconds. A machine that was loading from one of them
 * would wait for ever, since iPXE has no time-out for a server that is silent; this machine's kernel knows nothing of the
 * connection and says so (RST), and the machine starts anew with a server that is there.
 */
export class OrphanAddresses {
  readonly #options: OrphanOptions;
  readonly #held = new Map<string, AbortController>();

  constructor(options: OrphanOptions) {
    this.#options = options;
  }

  /** Resolves when the address has been given back; does nothing when somebody has it after all. */
  async adopt(address: string): Promise<void> {
    const { interfaceName, busybox, log, signal } = this.#options;
    if (this.#held.has(address)) return;
    const released = new AbortController();
    this.#held.set(address, released);
    try {
      if (await isAddressTaken(interfaceName, address, busybox)) return;
      using network = new Rtnetlink();
      const link = (await network.links()).find(({ name }) => name === interfaceName);
      if (link === undefined || released.signal.aborted || signal.aborted) return;
      const own = { linkIndex: link.index, address, prefixLength: 32 };
      await network.addAddress(own);
      log(`${address} went without a word: who was loading from it is told so`);
      spawn(busybox, ['arping', '-U', '-q', '-c', ANNOUNCEMENTS, '-s', address, '-I', interfaceName, address], {
        stdio: 'ignore',
      }).once('error', (error) => log(`arping: ${error.message}`));
      await sleep(ADOPTED_MS, undefined, { signal: AbortSignal.any([signal, released.signal]) }).catch(() => {});
      await network.deleteAddress(own);
    } finally {
      this.#held.delete(address);
    }
  }

  /** Somebody is about to get this address. */
  release(address: string): void {
    this.#held.get(address)?.abort();
  }
}
