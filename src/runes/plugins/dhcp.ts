import { isIPv4 } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../../linux/describe-error.ts';
import { Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import { DhcpServer, type MachineAddress } from '../dhcp/dhcp-server.ts';
import { type Candidate, dhcpModeFor, elect, nameServers, type SeenServers } from '../dhcp/election.ts';
import { FieldMachines } from '../dhcp/field-machines.ts';
import { MOST_CLAIMS, MOST_MACHINES, MOST_PEERS, NEIGHBOUR_PATH, type NeighbourWord } from '../dhcp/neighbour-word.ts';
import { Neighbours } from '../dhcp/neighbours.ts';
import { OrphanAddresses } from '../dhcp/orphan-addresses.ts';
import { isOwnRange, leadsElsewhere } from '../dhcp/private-range.ts';
import { whoAnswers } from '../dhcp/who-answers.ts';
import type { AddressInterface, DhcpDecision, DhcpMode, Network } from '../engine/interfaces.ts';
import { type Context, definePlugin } from '../engine/plugin.ts';
import { claimedMacs } from '../engine/roles.ts';
import { keptBusybox } from '../kept-program.ts';
import { wordOf } from '../machine.ts';
import { hostOf } from '../peers.ts';

type Needs = Context<'address' | 'tftp' | 'http' | 'field'>;

/** Who serves is looked after this often. */
const WATCH_MS = 1500;
const STEP_MS = 40_000;
const DOUBT_MS = 200;
/** Another DHCP server that somebody switches on is found so soon. */
const ASK_MS = 15_000;
/** In the first minutes, when a switch port still opens and a server still starts. */
const ASK_AT_FIRST_MS = 3000;
const AT_FIRST_MS = 180_000;
/** A server that is silent for so long has gone. */
const FOREIGN_MS = 600_000;
const ASK_STANDBY_MS = 60_000;
const OFFER_MS = 1500;
const MOST_AT_TAKEOVER = 512;

/** One machine's part in who gives addresses. */
class DhcpService {
  readonly #context: Needs;
  readonly #network: Network;
  readonly #address: AddressInterface;
  readonly #machines: FieldMachines;
  readonly #neighbours = new Neighbours();
  readonly #claims: readonly string[];
  readonly #orphans: OrphanAddresses;
  readonly #server: DhcpServer;
  #seen: SeenServers;
  #askedMs: number;
  /** When another DHCP server was heard last. */
  #foreignMs = Number.NEGATIVE_INFINITY;
  /** Another of VIVER's gives addresses of another network than this machine chose for itself. */
  #isElsewhere = false;
  #image: NeighbourWord['image'] | undefined;
  #peers: readonly string[] = [];
  readonly #startMs = performance.now();
  #decision: DhcpDecision = { mode: 'standby', why: 'not decided yet' };

  constructor(context: Needs, network: Network, everybody: boolean, claims: readonly string[]) {
    this.#context = context;
    this.#network = network;
    this.#claims = claims;
    this.#address = context.ask('address');
    this.#machines = new FieldMachines(network);
    const { log, signal } = context;
    this.#orphans = new OrphanAddresses({
      interfaceName: network.interfaceName,
      busybox: keptBusybox(),
      log,
      signal,
    });
    this.#server = new DhcpServer({
      context,
      network,
      address: this.#address,
      everybody,
      machines: () => this.#allMachines(),
      onGiven: (address) => this.#orphans.release(address),
    });
    // Where nobody has answered, nobody is harmed: it serves at once and asks again while it does.
    this.#askedMs = network.origin === 'chosen' ? performance.now() : Number.NEGATIVE_INFINITY;
    this.#seen = { foreign: [], everForeign: false, everOurs: isOwnRange(network) };
  }

  /** It is not this machine's business. */
  refuse(why: string): void {
    this.#decision = { mode: 'standby', why, never: true };
  }

  get decision(): DhcpDecision {
    return this.#decision;
  }

  /** Whether somebody who is known was silent the last time: look again at once. */
  get isInDoubt(): boolean {
    return this.#machines.isInDoubt || this.#neighbours.isInDoubt;
  }

  /** Images of other clusters on this wire, and which machines are to get them. */
  get neighbours(): readonly NeighbourWord[] {
    const byImage = new Map(this.#neighbours.words.map((word) => [word.image.id, word]));
    if (this.#image !== undefined) byImage.delete(this.#image.id);
    return [...byImage.values()];
  }

  /** What it tells another cluster whose first machine asks; undefined while it does not know its own image. */
  word(from: string): NeighbourWord | undefined {
    const { address, mac } = this.#network;
    if (from !== address) this.#neighbours.hint(from, performance.now());
    const image = this.#image;
    if (image === undefined) return undefined;
    return {
      version: 1,
      address,
      mac,
      role: this.#context.role,
      mode: this.#decision.mode,
      image,
      peers: this.#peers.slice(0, MOST_PEERS),
      machines: this.#machines.machines.slice(0, MOST_MACHINES).map((one) => ({ mac: one.mac, address: one.address })),
      others: this.#neighbours.words.map((word) => word.address).filter((one) => one !== from),
      claims: this.#claims,
    };
  }

  /** One look around, and what follows from it. */
  async step(canServe: boolean): Promise<void> {
    const network = this.#network;
    const status = this.#context.has('field') ? await this.#context.ask('field').status() : undefined;
    if (status !== undefined) {
      this.#image = { name: this.#context.machine.image?.name ?? status.image.name, id: status.image.id };
      const nodes = status.peers.map(({ address }) => address).filter((node) => isIPv4(hostOf(node)));
      this.#peers = [network.address, ...nodes];
    }
    const self: Candidate = {
      id: status?.node.id ?? 'f'.repeat(16),
      role: this.#context.role,
      canServe,
      isServing: this.#server.mode !== undefined,
    };
    const peers = (status?.peers ?? []).map(({ id, address }) => ({ id, host: hostOf(address) }));
    const strangers = peers.filter(({ host }) => host !== network.address);
    const others = await this.#machines.look(strangers, self.isServing);
    const first = elect(self, others);
    if (!first.serve) {
      await this.#ask(ASK_STANDBY_MS);
      // They are the business of the one that goes first here.
      this.#neighbours.forget();
      this.#machines.takeGone();
      await this.#become('standby', first.why);
      return;
    }
    await this.#ask(performance.now() - this.#startMs < AT_FIRST_MS ? ASK_AT_FIRST_MS : ASK_MS);
    if (this.#seen.foreign.length > 0 && network.origin === 'chosen')
      await this.#address.renew(`the DHCP server ${nameServers(this.#seen.foreign)} has appeared`);
    if (this.#isElsewhere) {
      await this.#address.renew('another boot server of VIVER gives addresses of another network');
      return;
    }
    if (performance.now() - this.#foreignMs < FOREIGN_MS && isOwnRange(network)) {
      // Clients with addresses of that server would be sent to one that they cannot reach.
      const why = "another DHCP server gives the addresses here, and this machine's is still one of VIVER's own";
      await this.#become('standby', why);
      return;
    }
    await this.#meet(peers.map(({ host }) => host));
    const among = elect({ ...self, id: network.mac }, this.#neighbours.candidates(performance.now()));
    if (!among.serve) {
      this.#machines.takeGone();
      await this.#become('standby', `another cluster on this wire: ${among.why}`);
      return;
    }
    const wanted = dhcpModeFor(network.origin, this.#seen);
    // Before it begins it knows whose addresses are not to be given to others.
    if (!self.isServing)
      await this.#machines.learn(
        strangers.filter(({ id }) => !this.#machines.isKnown(id)),
        MOST_AT_TAKEOVER,
      );
    await this.#become(wanted.mode, `${first.why}; ${wanted.why}`);
    await this.#server.refresh();
    await this.#server.writeMachines();
    // On a network that others run, its addresses are their business.
    for (const gone of wanted.mode === 'full' ? this.#machines.takeGone() : []) {
      this.#orphans.adopt(gone).catch((error: unknown) => this.#context.log(`${gone}: ${describeError(error)}`));
    }
  }

  /** Other clusters; one of the same image is none, it has only not been found by the field: no multicast gets through. */
  async #meet(hosts: readonly string[]): Promise<void> {
    const own = new Set([...hosts, this.#network.address]);
    const isNew = await this.#neighbours.look(own, performance.now());
    // It may serve too: whether its mark is in DHCP shows who goes on.
    if (isNew) this.#askedMs = Number.NEGATIVE_INFINITY;
    for (const { image, peers } of this.#neighbours.words) {
      if (image.id !== this.#image?.id || !this.#context.has('field')) continue;
      for (const peer of peers.filter((one) => !own.has(hostOf(one)))) await this.#context.ask('field').join(peer);
    }
  }

  /** Of this cluster and of the others; what the others say counts only for what is not known better. */
  #allMachines(): readonly MachineAddress[] {
    const own = this.#machines.machines;
    const known = new Set([this.#network.address, ...own.flatMap(({ mac, address }) => [mac, address])]);
    const all: MachineAddress[] = [...own];
    for (const one of this.#neighbours.words.flatMap((word) => [word, ...word.machines])) {
      if (known.has(one.mac) || known.has(one.address)) continue;
      known.add(one.mac).add(one.address);
      all.push(one);
    }
    return all;
  }

  async #ask(everyMs: number): Promise<void> {
    if (performance.now() - this.#askedMs < everyMs) return;
    this.#askedMs = performance.now();
    using network = new Rtnetlink();
    const link = (await network.links()).find(({ name }) => name === this.#network.interfaceName);
    if (link === undefined) throw new Error(`the interface ${this.#network.interfaceName} is gone`);
    const own = this.#network;
    const { foreign, marked } = await whoAnswers(link, own.address, OFFER_MS, this.#context.signal);
    const nowMs = performance.now();
    if (foreign.length > 0) this.#foreignMs = nowMs;
    this.#neighbours.hear(
      marked.map(({ server }) => server),
      nowMs,
    );
    this.#isElsewhere = own.origin === 'chosen' && marked.some((offer) => leadsElsewhere(offer, own));
    this.#seen = {
      foreign,
      everForeign: this.#seen.everForeign || foreign.length > 0,
      everOurs: this.#seen.everOurs || marked.some(({ yourAddress }) => yourAddress !== '0.0.0.0'),
    };
  }

  async #become(mode: DhcpMode, why: string): Promise<void> {
    const changed = this.#decision.mode !== mode;
    this.#decision = { mode, why };
    if ((this.#server.mode ?? 'standby') === mode) return;
    if (changed) this.#context.log(`${mode}: ${why}`);
    await this.#server.become(mode === 'standby' ? undefined : mode);
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
    const claims = claimedMacs(context.roles).slice(0, MOST_CLAIMS);
    const service = new DhcpService(context, network, serve === 'all', claims);
    await http.publish('dhcp', () => service.decision);
    const refused = mayServe(serve, network);
    if (refused !== undefined) {
      service.refuse(refused);
      context.log(`no boot server: ${refused}`);
      return { dhcp: { mode: async () => service.decision } };
    }
    const canServe = await http.canServe();
    if (canServe) {
      await http.publish('neighbours', () => ({ own: claims, others: service.neighbours }));
      await http.answer(NEIGHBOUR_PATH, async (from) => service.word(from));
    }
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
