import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { describeError } from '../../linux/describe-error.ts';
import { hasCode } from '../../linux/errno.ts';
import type { AddressInterface, Network } from '../engine/interfaces.ts';
import type { Context } from '../engine/plugin.ts';
import { endLeftovers, supervise } from '../engine/supervised.ts';
import { keptProgram } from '../kept-program.ts';
import { dhcpNews } from '../overview/boot-progress.ts';
import { RUN_DIRECTORY } from '../places.ts';
import { logOfAskers } from '../rate-limit.ts';
import { dhcpConfig, leasesWith, machinesFile, relaySubnets } from './dnsmasq-config.ts';
import { dnsmasqUser } from './dnsmasq-user.ts';
import { FirmwareRefusals } from './firmware-refusals.ts';
import { RefusedLoaders } from './refused-loaders.ts';
import { Relays } from './relays.ts';

/** For dnsmasq's dhcp-hostsdir. */
const MACHINES_DIRECTORY = `${RUN_DIRECTORY}/dhcp-machines`;
const LEASE_FILE = `${RUN_DIRECTORY}/dnsmasq.leases`;

export type ServingMode = 'full' | 'proxy';

export interface MachineAddress {
  readonly mac: string;
  readonly address: string;
}

export interface DhcpServerOptions {
  readonly context: Context<'address' | 'tftp' | 'http'>;
  readonly network: Network;
  readonly address: AddressInterface;
  readonly everybody: boolean;
  /** Machines of VIVER, whose addresses are theirs. */
  readonly machines: () => readonly MachineAddress[];
  /** Somebody gets this address now. */
  readonly onGiven: (address: string) => void;
}

/** dnsmasq as this machine's DHCP server: what it is told, and what it says. */
export class DhcpServer {
  readonly #options: DhcpServerOptions;
  readonly #tell: (line: string, asker: string) => void;
  readonly #refusals = new FirmwareRefusals();
  readonly #refused = new RefusedLoaders();
  #running: { readonly stop: () => Promise<void>; readonly mode: ServingMode } | undefined;
  readonly #relays = new Relays();
  /** How often they had changed when dnsmasq was told of them. */
  #relaysTold = 0;
  /** What dnsmasq was told of machines. */
  #written: string | undefined;

  constructor(options: DhcpServerOptions) {
    this.#options = options;
    this.#tell = logOfAskers(options.context.log);
  }

  get mode(): ServingMode | undefined {
    return this.#running?.mode;
  }

  /** Serves so from now on; undefined: not at all. */
  async become(mode: ServingMode | undefined): Promise<void> {
    if (mode === this.mode) return;
    await this.#running?.stop();
    this.#running = undefined;
    if (mode !== undefined) this.#running = { mode, stop: await this.#serve(mode) };
  }

  /** Starts anew when a relay is there that it does not know yet: firmware asks again. */
  async refresh(): Promise<void> {
    const mode = this.mode;
    if (mode === undefined || this.#relaysTold === this.#relays.changes) return;
    await this.become(undefined);
    await this.become(mode);
  }

  /** Tells dnsmasq, when something has changed, whose addresses are not to be given to others. */
  async writeMachines(): Promise<void> {
    const text = machinesFile(this.#options.machines(), this.#refused.macs);
    if (text === this.#written) return;
    await mkdir(MACHINES_DIRECTORY, { recursive: true });
    await writeFile(`${MACHINES_DIRECTORY}/machines`, text);
    this.#written = text;
  }

  async #writeLeases(): Promise<void> {
    const before = await readFile(LEASE_FILE, 'utf8').catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return '';
      throw error;
    });
    await writeFile(LEASE_FILE, leasesWith(before, this.#options.machines(), Date.now() / 1000));
  }

  async #serve(mode: ServingMode): Promise<() => Promise<void>> {
    const { context, network, address, everybody } = this.#options;
    const tftp = context.ask('tftp');
    const secure64 = await tftp.path('secure64');
    const configuration = `${RUN_DIRECTORY}/dnsmasq-dhcp.conf`;
    await mkdir(RUN_DIRECTORY, { recursive: true });
    const text = dhcpConfig({
      mode,
      network,
      range: await address.range(),
      bios: await tftp.path('bios'),
      efi64: await tftp.path('efi64'),
      ...(secure64 ? { secure64 } : {}),
      scriptUrl: await context.ask('http').scriptUrl(),
      leaseFile: LEASE_FILE,
      machines: MACHINES_DIRECTORY,
      relays: this.#relays.addresses,
      everybody,
    });
    this.#relaysTold = this.#relays.changes;
    this.#written = undefined;
    await this.writeMachines();
    if (mode === 'full') await this.#writeLeases();
    await writeFile(configuration, text);
    await endLeftovers(`--conf-file=${configuration}`);
    const { command, args } = keptProgram('/usr/sbin/dnsmasq');
    const { stop } = await supervise(context, {
      name: 'dnsmasq (DHCP)',
      command,
      args: [...args, ...dnsmasqUser(), '--keep-in-foreground', `--conf-file=${configuration}`, '--pid-file='],
      onLine: (line) => this.#hear(line),
    });
    return stop;
  }

  #hearRelay(relay: string): void {
    const { context, network } = this.#options;
    const isOfOther = relaySubnets([relay], network).length > 0;
    if (isOfOther && this.#relays.hear(relay, performance.now()))
      context.log(`${relay} hands on questions of another subnet: firmware there is answered too`);
  }

  #hear(line: string): void {
    const { context, machines, onGiven } = this.#options;
    const relay = /^dnsmasq-dhcp\[\d+\]: no address range available for DHCP request via ([\d.]+)$/.exec(line)?.[1];
    if (relay !== undefined) this.#hearRelay(relay);
    const noLoader = this.#refusals.hear(line);
    if (noLoader !== undefined) context.log(noLoader);
    const secure = this.#refused.hear(line, performance.now());
    if (secure !== undefined) {
      this.#tell(`${secure} did not start the loader that it was sent: it gets the signed one (Secure Boot)`, secure);
      this.writeMachines().catch((error: unknown) => context.log(describeError(error)));
    }
    const given = /^dnsmasq-dhcp\[\d+\]: (?:\d+ )?DHCP(?:OFFER|ACK)\(\S+\) (\S+)/.exec(line)?.[1];
    if (given !== undefined) onGiven(given);
    const [, told, kind, mac = ''] =
      /^dnsmasq-dhcp\[\d+\]: (?:\d+ )?((DHCPACK|PXE)\(\S+\) (?:[\d.]+ )?(\S+).*)$/.exec(line) ?? [];
    // machines of VIVER ask as firmware does, to find out who serves (who-answers.ts)
    const isRound = kind === 'PXE' && machines().some((machine) => machine.mac === mac);
    if (told === undefined || isRound) return;
    this.#tell(told, mac);
    const news = dhcpNews(told);
    if (news !== undefined)
      context
        .ask('http')
        .hear(news)
        .catch((error: unknown) => context.log(describeError(error)));
  }
}
