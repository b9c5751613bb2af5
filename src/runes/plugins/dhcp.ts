import { mkdir, writeFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../../linux/describe-error.ts';
import { Rtnetlink } from '../../linux/rtnetlink.ts';
import { askDhcp } from '../../net/ask-dhcp.ts';
import { dhcpConfig, VIVER_MARK, VIVER_OPTION } from '../dnsmasq-config.ts';
import { dnsmasqUser } from '../dnsmasq-user.ts';
import { type Candidate, compareCandidates, dhcpModeFor, elect, type SeenServers } from '../election.ts';
import type { AddressInterface, DhcpMode, Network } from '../interfaces.ts';
import { keptBusybox, keptProgram } from '../kept-program.ts';
import type { MachineStatus } from '../machine-status.ts';
import { OrphanAddresses } from '../orphan-addresses.ts';
import { fetchStatus, hostOf } from '../peers.ts';
import { RUN_DIRECTORY } from '../places.ts';
import { type Context, definePlugin } from '../plugin.ts';
import { isOwnRange } from '../private-range.ts';
import { endLeftovers, supervise } from '../supervised.ts';

type Needs = Context<'address' | 'tftp' | 'http' | 'field'>;

/** Who serves is looked after this often; gone is who did not answer so many times. */
const WATCH_MS = 1500;
const DOUBT_MS = 200;
const ANSWER_MS = 1500;
const MOST_SILENT = 2;
const GIVEN_UP_MS = 10_000;
/** Another DHCP server that somebody switches on is found so soon. */
const ASK_MS = 15_000;
const ASK_STANDBY_MS = 60_000;
const OFFER_MS = 1500;
/** Of many machines only the first in line matter. */
const MOST_ASKED = 16;

/** How often in a row a machine did not answer, and when it is asked again. */
interface Silence {
  readonly times: number;
  readonly untilMs: number;
}

interface Peer {
  /** Node id in the field. */
  readonly id: string;
  readonly host: string;
}

/** A machine that answered, and where it is. */
interface KnownMachine extends Candidate {
  readonly mac: string;
  readonly address: string;
}

/** One machine's part in who gives addresses. */
class DhcpService {
  readonly #context: Needs;
  readonly #network: Network;
  readonly #address: AddressInterface;
  readonly #silent = new Map<string, Silence>();
  readonly #last = new Map<string, KnownMachine>();
  readonly #orphans: OrphanAddresses;
  /** Addresses of machines that answer no more, until it is seen to. */
  #gone: string[] = [];
  #seen: SeenServers;
  #askedMs = Number.NEGATIVE_INFINITY;
  #server: { readonly stop: () => Promise<void>; readonly mode: 'full' | 'proxy' } | undefined;
  #decision: { readonly mode: DhcpMode; readonly why: string } = { mode: 'standby', why: 'not decided yet' };

  constructor(context: Needs, network: Network) {
    this.#context = context;
    this.#network = network;
    this.#address = context.ask('address');
    const { log, signal } = context;
    this.#orphans = new OrphanAddresses({
      interfaceName: network.interfaceName,
      busybox: keptBusybox(),
      log,
      signal,
    });
    this.#seen = { foreign: [], everForeign: false, everOurs: isOwnRange(network) };
  }

  get decision() {
    return this.#decision;
  }

  /** Whether somebody who is known was silent the last time: look again at once. */
  get isInDoubt(): boolean {
    return [...this.#silent].some(([id, { times }]) => times < MOST_SILENT && this.#last.has(id));
  }

  /** One look around, and what follows from it. */
  async step(canServe: boolean): Promise<void> {
    const status = this.#context.has('field') ? await this.#context.ask('field').status() : undefined;
    const self: Candidate = {
      id: status?.node.id ?? 'f'.repeat(16),
      role: this.#context.role,
      canServe,
      isServing: this.#server !== undefined,
    };
    const peers = (status?.peers ?? []).map(({ id, address }) => ({ id, host: hostOf(address) }));
    const others = await this.#look(
      peers.filter(({ host }) => host !== this.#network.address),
      self.isServing,
    );
    const { serve, why } = elect(self, others);
    if (!serve) {
      await this.#ask(ASK_STANDBY_MS);
      this.#gone = [];
      await this.#become('standby', why);
      return;
    }
    await this.#ask(ASK_MS);
    if (this.#seen.foreign.length > 0 && this.#network.origin === 'chosen') {
      await this.#address.renew(`the DHCP server ${this.#seen.foreign.join(', ')} has appeared`);
      return;
    }
    const wanted = dhcpModeFor(this.#network.origin, this.#seen);
    await this.#become(wanted.mode, `${why}; ${wanted.why}`);
    // On a network that others run, its addresses are their business.
    for (const gone of wanted.mode === 'full' ? this.#gone.splice(0) : []) {
      this.#orphans.adopt(gone).catch((error: unknown) => this.#context.log(`${gone}: ${describeError(error)}`));
    }
  }

  /**
   * Those that answer; one that was silent once is not taken for gone. As long as somebody else serves only that one is
   * asked: fifty machines must not ask fifty.
   */
  async #look(peers: readonly Peer[], isServing: boolean): Promise<Candidate[]> {
    const ids = new Set(peers.map(({ id }) => id));
    for (const id of this.#silent.keys()) if (!ids.has(id)) this.#silent.delete(id);
    for (const id of this.#last.keys()) if (!ids.has(id)) this.#forget(id);
    const servers = isServing ? [] : peers.filter(({ id }) => this.#last.get(id)?.isServing === true);
    if (servers.length > 0) {
      for (const [id, { times }] of this.#silent)
        if (times < MOST_SILENT && !servers.some((one) => one.id === id)) this.#silent.delete(id);
      const answers = (await Promise.all(servers.map((peer) => this.#one(peer)))).filter((one) => one !== undefined);
      if (answers.some((one) => one.isServing)) return answers;
    }
    const first = [...peers].sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, MOST_ASKED);
    const known = peers.filter(
      ({ id }) => this.#last.get(id)?.isServing === true && !first.some((one) => one.id === id),
    );
    // The field takes longer to give a machine up: it is not waited for again and again meanwhile.
    const nowMs = performance.now();
    const asked = [...first, ...known].filter(({ id }) => (this.#silent.get(id)?.untilMs ?? 0) <= nowMs);
    const answers = await Promise.all(asked.map((peer) => this.#one(peer)));
    return answers.filter((answer) => answer !== undefined).sort(compareCandidates);
  }

  async #one({ id, host }: Peer): Promise<Candidate | undefined> {
    try {
      const candidate = candidateOf(id, await fetchStatus(host, ANSWER_MS, 'brief'));
      this.#silent.delete(id);
      this.#last.set(id, candidate);
      return candidate;
    } catch {
      const times = (this.#silent.get(id)?.times ?? 0) + 1;
      const untilMs = times < MOST_SILENT ? 0 : performance.now() + GIVEN_UP_MS;
      this.#silent.set(id, { times, untilMs });
      if (times < MOST_SILENT) return this.#last.get(id);
      this.#forget(id);
      return undefined;
    }
  }

  #forget(id: string): void {
    const gone = this.#last.get(id);
    if (gone !== undefined && isIPv4(gone.address)) this.#gone.push(gone.address);
    this.#last.delete(id);
  }

  async #ask(everyMs: number): Promise<void> {
    if (performance.now() - this.#askedMs < everyMs) return;
    this.#askedMs = performance.now();
    using network = new Rtnetlink();
    const link = (await network.links()).find(({ name }) => name === this.#network.interfaceName);
    if (link === undefined) throw new Error(`the interface ${this.#network.interfaceName} is gone`);
    const { signal } = this.#context;
    const offers = await askDhcp(link, { timeoutMs: OFFER_MS, wanted: [VIVER_OPTION], signal });
    const isOurs = (options: ReadonlyMap<number, Uint8Array>) =>
      Buffer.from(options.get(VIVER_OPTION) ?? []).toString('latin1') === VIVER_MARK;
    const foreign = offers
      .filter(({ options, server }) => !isOurs(options) && server !== this.#network.address)
      .map(({ server }) => server);
    this.#seen = {
      foreign,
      everForeign: this.#seen.everForeign || foreign.length > 0,
      everOurs: this.#seen.everOurs || offers.some(({ options }) => isOurs(options)),
    };
  }

  async #become(mode: DhcpMode, why: string): Promise<void> {
    const changed = this.#decision.mode !== mode;
    this.#decision = { mode, why };
    if ((this.#server?.mode ?? 'standby') === mode) return;
    if (changed) this.#context.log(`${mode}: ${why}`);
    await this.#server?.stop();
    this.#server = undefined;
    if (mode !== 'standby') this.#server = { mode, stop: await this.#serve(mode) };
  }

  async #serve(mode: 'full' | 'proxy'): Promise<() => Promise<void>> {
    const context = this.#context;
    const tftp = context.ask('tftp');
    const configuration = `${RUN_DIRECTORY}/dnsmasq-dhcp.conf`;
    await mkdir(RUN_DIRECTORY, { recursive: true });
    const text = dhcpConfig({
      mode,
      network: this.#network,
      range: await this.#address.range(),
      bios: await tftp.path('bios'),
      efi64: await tftp.path('efi64'),
      scriptUrl: await context.ask('http').scriptUrl(),
      leaseFile: `${RUN_DIRECTORY}/dnsmasq.leases`,
      reserved: [...this.#last.values()].filter(({ mac, address }) => isIPv4(address) && /^[0-9a-f:]{17}$/.test(mac)),
    });
    await writeFile(configuration, text);
    await endLeftovers(`--conf-file=${configuration}`);
    const { command, args } = keptProgram('/usr/sbin/dnsmasq');
    const { stop } = await supervise(context, {
      name: 'dnsmasq (DHCP)',
      command,
      args: [...args, ...dnsmasqUser(), '--keep-in-foreground', `--conf-file=${configuration}`, '--pid-file='],
      onLine: (line) => {
        const given = /DHCP(?:OFFER|ACK)\(\S+\) (\S+)/.exec(line)?.[1];
        if (given !== undefined) this.#orphans.release(given);
        const told = /dnsmasq-dhcp\[\d+\]: ((?:DHCPACK|PXE)\(.*)$/.exec(line)?.[1];
        if (told !== undefined) context.log(told);
      },
    });
    return stop;
  }
}

function candidateOf(id: string, status: MachineStatus): KnownMachine {
  const mode = status.dhcp?.mode;
  return {
    id,
    mac: status.mac,
    address: status.address,
    role: status.role,
    canServe: status.canServe && mode !== undefined,
    isServing: mode === 'full' || mode === 'proxy',
  };
}

export default definePlugin({
  name: 'dhcp',
  summary:
    'addresses and the way to the boot loader (dnsmasq), on one machine at a time: all of DHCP, or beside a server that is there',
  provides: ['dhcp'],
  requires: ['address', 'tftp', 'http'],
  uses: ['field'],
  async start(context) {
    const network = await context.ask('address').network();
    const http = context.ask('http');
    const service = new DhcpService(context, network);
    await http.publish('dhcp', () => service.decision);
    const canServe = await http.canServe();
    const watch = async (): Promise<void> => {
      while (!context.signal.aborted) {
        await service.step(canServe);
        await sleep(service.isInDoubt ? DOUBT_MS : WATCH_MS, undefined, { signal: context.signal });
      }
    };
    // The first step too takes its time: what is asked of others meanwhile is not held up by it.
    watch().catch((error: unknown) => {
      if (!context.signal.aborted) context.fail(new Error(describeError(error), { cause: error }));
    });
    return { dhcp: { mode: async () => service.decision } };
  },
});
