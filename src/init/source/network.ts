import { setTimeout as sleep } from 'node:timers/promises';
import { printable } from '../../codec/printable.ts';
import { describeError } from '../../linux/describe-error.ts';
import { parseIpSetting } from '../../net/address-plan.ts';
import { bringUp, type NetworkUp } from '../../net/bring-up.ts';
import { isNetworkName } from '../../net/host-name.ts';
import { writeLeaseFacts } from '../../net/lease-facts.ts';
import { reverseName } from '../../net/reverse-name.ts';
import { type BootLog, REPORT_DIRECTORY } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';

/** How long the image's init is kept waiting for an address that `viver.ip=` asks for and nothing hangs on. */
const HAND_OVER_MS = 1500;

/** The network of this machine while it boots: begun once, then waited for by whoever needs it. */
export class Network {
  readonly #options: BootOptions;
  readonly #log: BootLog;
  #run: { readonly result: Promise<NetworkUp>; readonly stop: AbortController } | undefined;
  #up: NetworkUp | undefined;
  #isLeaving = false;

  constructor(options: BootOptions, log: BootLog) {
    this.#options = options;
    this.#log = log;
  }

  get up(): NetworkUp | undefined {
    return this.#up;
  }

  /** Begins to bring it up, if that is not under way. */
  begin(): Promise<NetworkUp> {
    if (this.#run !== undefined) return this.#run.result;
    const { ip = 'dhcp', hostname, bootMac, vlan } = this.#options;
    const stop = new AbortController();
    this.#isLeaving = false;
    const result = bringUp({
      ip: parseIpSetting(ip),
      ...(hostname === undefined ? {} : { hostname }),
      ...(bootMac === undefined ? {} : { bootMac }),
      ...(vlan === undefined ? {} : { vlan }),
      directory: REPORT_DIRECTORY,
      signal: stop.signal,
      leaveAsking: () => this.#isLeaving,
      onProgress: (line) => this.#log.info(line),
    });
    this.#run = { result, stop };
    result.then(
      (up) => this.#note(up),
      () => {
        this.#run = undefined; // may be tried again
      },
    );
    return result;
  }

  /**
   * Waits for the network.
   * @throws Error that names each interface and what it lacked
   */
  async ready(signal: AbortSignal): Promise<NetworkUp> {
    const result = this.begin();
    const stop = this.#run?.stop;
    const onAbort = () => stop?.abort(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await result;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /**
   * Waits for the network as long as `signal` lets it; it goes on coming up for others.
   * @throws what `signal` aborts with; Error as `ready` does
   */
  async within(signal: AbortSignal): Promise<NetworkUp> {
    signal.throwIfAborted();
    using ended = new DisposableStack();
    const aborted = new Promise<never>((_, reject) => {
      const onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      ended.defer(() => signal.removeEventListener('abort', onAbort));
    });
    return await Promise.race([this.begin(), aborted]);
  }

  /** Before the switch: what is under way is left to the DHCP clients, which go on by themselves. */
  async handOver(): Promise<void> {
    const run = this.#run;
    if (run === undefined || this.#up !== undefined) return;
    const settled = run.result.then(
      () => undefined,
      (error: unknown) => this.#log.warn(error instanceof Error ? error.message : String(error)),
    );
    await Promise.race([settled, sleep(HAND_OVER_MS)]);
    this.#isLeaving = true;
    run.stop.abort();
    await settled;
  }

  #note(up: NetworkUp): void {
    this.#up = up;
    const { link, plan, device, reason } = up;
    const driver = device?.driver === undefined ? '' : ` (${device.driver})`;
    this.#log.choose(`network ${link.name}${driver} ${plan.address}/${plan.prefixLength}`, reason);
    this.#askName(up).catch((error: unknown) => this.#log.warn(describeError(error)));
  }

  /** Where neither a word nor DHCP names this machine, DNS may. Nothing waits for it: who is late is not heard. */
  async #askName({ plan, lease }: NetworkUp): Promise<void> {
    if (this.#options.hostname !== undefined || isNetworkName(lease?.hostname ?? '')) return;
    const hostname = await reverseName(plan.address, plan.dns);
    if (hostname === undefined) return;
    writeLeaseFacts(REPORT_DIRECTORY, { hostname, ntp: lease?.ntp ?? [] });
    this.#log.info(`${plan.address} is called ${printable(hostname)} by ${plan.dns.join(', ')}`);
  }
}
