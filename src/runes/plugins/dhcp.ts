import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../../linux/describe-error.ts';
import { hasCode } from '../../linux/errno.ts';
import { Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import { askDhcp } from '../../net/ask-dhcp.ts';
import { dhcpConfig, leasesWith, machinesFile, VIVER_MARK, VIVER_OPTION } from '../dhcp/dnsmasq-config.ts';
import { dnsmasqUser } from '../dhcp/dnsmasq-user.ts';
import { type Candidate, compareCandidates, dhcpModeFor, elect, type SeenServers } from '../dhcp/election.ts';
import { FirmwareRefusals } from '../dhcp/firmware-refusals.ts';
import { OrphanAddresses } from '../dhcp/orphan-addresses.ts';
import { isOwnRange, isStranded } from '../dhcp/private-range.ts';
import type { AddressInterface, DhcpMode, Network } from '../engine/interfaces.ts';
import { type Context, definePlugin } from '../engine/plugin.ts';
import { endLeftovers, supervise } from '../engine/supervised.ts';
import { keptBusybox, keptProgram } from '../kept-program.ts';
import { wordOf } from '../machine.ts';
import type { MachineStatus } from '../machine-status.ts';
import { dhcpNews } from '../overview/boot-progress.ts';
import { fetchStatus, hostOf } from '../peers.ts';
import { RUN_DIRECTORY } from '../places.ts';

type Needs = Context<'address' | 'tftp' | 'http' | 'field'>;

/** Who serves is looked after this often; gone is who did not answer so many times. */
const WATCH_MS = 1500;
const STEP_MS = 40_000;
const DOUBT_MS = 200;
const ANSWER_MS = 1500;
const MOST_SILENT = 2;
const GIVEN_UP_MS = 10_000;
/** Another DHCP server that somebody switches on is found so soon. */
const ASK_MS = 15_000;
/** In the first minutes, when a switch port still opens and a server still starts. */
const ASK_AT_FIRST_MS = 3000;
const AT_FIRST_MS = 180_000;
/** A server that is silent for so long has gone. */
const FOREIGN_MS = 600_000;
const ASK_STANDBY_MS = 60_000;
const OFFER_MS = 1500;
/** Option 60, the vendor class: another VIVER answers nobody else. */
const AS_VIVER = [60, VIVER_MARK.length, ...Buffer.from(VIVER_MARK)];
/** Of many machines only the first in line matter. */
const MOST_ASKED = 16;
/** So many more are asked at a time who they are, by the one that gives addresses. */
const MOST_LEARNT = 32;
const MOST_AT_TAKEOVER = 512;

/** For dnsmasq's dhcp-hostsdir. */
const MACHINES_DIRECTORY = `${RUN_DIRECTORY}/dhcp-machines`;
const LEASE_FILE = `${RUN_DIRECTORY}/dnsmasq.leases`;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

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
  /** What dnsmasq was told of them. */
  #written: string | undefined;
  readonly #everybody: boolean;
  readonly #refusals = new FirmwareRefusals();
  #seen: SeenServers;
  #askedMs: number;
  /** When another DHCP server was heard last. */
  #foreignMs = Number.NEGATIVE_INFINITY;
  readonly #startMs = performance.now();
  #server: { readonly stop: () => Promise<void>; readonly mode: 'full' | 'proxy' } | undefined;
  #decision: { readonly mode: DhcpMode; readonly why: string } = { mode: 'standby', why: 'not decided yet' };

  constructor(context: Needs, network: Network, everybody: boolean) {
    this.#everybody = everybody;
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
    // Where nobody has answered, nobody is harmed: it serves at once and asks again while it does.
    this.#askedMs = network.origin === 'chosen' ? performance.now() : Number.NEGATIVE_INFINITY;
    this.#seen = { foreign: [], everForeign: false, everOurs: isOwnRange(network) };
  }

  /** It is not this machine's business. */
  refuse(why: string): void {
    this.#decision = { mode: 'standby', why };
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
    await this.#ask(performance.now() - this.#startMs < AT_FIRST_MS ? ASK_AT_FIRST_MS : ASK_MS);
    if (this.#seen.foreign.length > 0 && this.#network.origin === 'chosen') {
      await this.#address.renew(`the DHCP server ${this.#seen.foreign.join(', ')} has appeared`);
      return;
    }
    if (performance.now() - this.#foreignMs < FOREIGN_MS && isOwnRange(this.#network)) {
      // Clients with addresses of that server would be sent to one that they cannot reach.
      const why = "another DHCP server gives the addresses here, and this machine's is still one of VIVER's own";
      await this.#become('standby', why);
      return;
    }
    const wanted = dhcpModeFor(this.#network.origin, this.#seen);
    // Before it begins it knows whose addresses are not to be given to others.
    if (!self.isServing)
      await this.#learn(
        peers.filter(({ id, host }) => !this.#last.has(id) && host !== this.#network.address),
        MOST_AT_TAKEOVER,
      );
    await this.#become(wanted.mode, `${why}; ${wanted.why}`);
    await this.#writeMachines();
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
    await this.#learn(
      peers.filter(({ id }) => !this.#last.has(id) && !this.#silent.has(id)),
      MOST_LEARNT,
    );
    return answers.filter((answer) => answer !== undefined).sort(compareCandidates);
  }

  /** Who gives addresses has to know everybody's: a few strangers at a time, until none is left. */
  async #learn(strangers: readonly Peer[], most: number): Promise<void> {
    for (let i = 0; i < Math.min(most, strangers.length); i += MOST_LEARNT)
      await Promise.all(strangers.slice(i, i + MOST_LEARNT).map((peer) => this.#one(peer)));
  }

  #machines(): readonly KnownMachine[] {
    return [...this.#last.values()].filter(({ mac, address }) => isIPv4(address) && MAC.test(mac));
  }

  /** Tells dnsmasq, when something has changed, whose addresses are not to be given to others. */
  async #writeMachines(): Promise<void> {
    const text = machinesFile(this.#machines());
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
    await writeFile(LEASE_FILE, leasesWith(before, this.#machines(), Date.now() / 1000));
  }

  async #one(peer: Peer): Promise<Candidate | undefined> {
    const { id, host } = peer;
    try {
      const said = candidateOf(peer, await fetchStatus(host, ANSWER_MS, 'brief'));
      const candidate = isStranded(host, this.#network) ? { ...said, canServe: false } : said;
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
    const offers = await askDhcp(link, { timeoutMs: OFFER_MS, wanted: [VIVER_OPTION], extra: AS_VIVER, signal });
    const isOurs = (options: ReadonlyMap<number, Uint8Array>) =>
      Buffer.from(options.get(VIVER_OPTION) ?? []).toString('latin1') === VIVER_MARK;
    const foreign = offers
      .filter(({ options, server }) => !isOurs(options) && server !== this.#network.address)
      .map(({ server }) => server);
    if (foreign.length > 0) this.#foreignMs = performance.now();
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
      leaseFile: LEASE_FILE,
      machines: MACHINES_DIRECTORY,
      everybody: this.#everybody,
    });
    this.#written = undefined;
    await this.#writeMachines();
    if (mode === 'full') await this.#writeLeases();
    await writeFile(configuration, text);
    await endLeftovers(`--conf-file=${configuration}`);
    const { command, args } = keptProgram('/usr/sbin/dnsmasq');
    const { stop } = await supervise(context, {
      name: 'dnsmasq (DHCP)',
      command,
      args: [...args, ...dnsmasqUser(), '--keep-in-foreground', `--conf-file=${configuration}`, '--pid-file='],
      onLine: (line) => {
        const noLoader = this.#refusals.hear(line);
        if (noLoader !== undefined) context.log(noLoader);
        const given = /^dnsmasq-dhcp\[\d+\]: (?:\d+ )?DHCP(?:OFFER|ACK)\(\S+\) (\S+)/.exec(line)?.[1];
        if (given !== undefined) this.#orphans.release(given);
        const told = /^dnsmasq-dhcp\[\d+\]: (?:\d+ )?((?:DHCPACK|PXE)\(.*)$/.exec(line)?.[1];
        if (told === undefined) return;
        context.log(told);
        const news = dhcpNews(told);
        if (news !== undefined)
          context
            .ask('http')
            .hear(news)
            .catch((error: unknown) => context.log(describeError(error)));
      },
    });
    return stop;
  }
}

/** A look around that hangs would leave the wire to a server that sees nothing any more: the plugin starts anew then. */
async function inTime(step: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`a look around took more than ${STEP_MS / 1000} s`)), STEP_MS);
  try {
    await Promise.race([step, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Which cards of this machine may serve, of `viver.serve=`. */
function mayServe(serve: string | undefined, { interfaceName, mac }: Network): string | undefined {
  if (serve === undefined || serve === 'all') return undefined;
  if (serve === 'none') return 'viver.serve=none';
  const isNamed = serve.toLowerCase() === mac.toLowerCase() || serve === interfaceName;
  return isNamed ? undefined : `viver.serve=${serve}, and this machine's network is on ${interfaceName} (${mac})`;
}

function candidateOf({ id, host }: Peer, status: MachineStatus): KnownMachine {
  const mode = status.dhcp?.mode;
  return {
    id,
    mac: status.mac,
    // what it says of others is not believed
    address: status.address === host ? host : '',
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
    const serve = wordOf(context.machine.commandLine, 'viver.serve');
    const service = new DhcpService(context, network, serve === 'all');
    await http.publish('dhcp', () => service.decision);
    const refused = mayServe(serve, network);
    if (refused !== undefined) {
      service.refuse(refused);
      context.log(`no boot server: ${refused}`);
      return { dhcp: { mode: async () => service.decision } };
    }
    const canServe = await http.canServe();
    const watch = async (): Promise<void> => {
      while (!context.signal.aborted) {
        await inTime(service.step(canServe));
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
