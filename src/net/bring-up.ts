import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../linux/describe-error.ts';
import { SyscallError } from '../linux/errno.ts';
import { type Link, Rtnetlink, watchLinks } from '../linux/netlink/rtnetlink.ts';
import { type AddressPlan, type IpSetting, planLease, resolvConf } from './address-plan.ts';
import { patienceMs, refusalOf } from './choose-lease.ts';
import { type DhcpClient, startDhcpClient } from './dhcp-client.ts';
import type { DhcpEvent } from './dhcp-event.ts';
import { chooseStatic, isUsable } from './interfaces.ts';
import { readIpv6Links } from './ipv6-links.ts';
import { type Lease, parseLease } from './lease.ts';
import { writeLeaseFacts } from './lease-facts.ts';
import { type LinkDevice, readLinkDevice } from './link-device.ts';
import { probePathMtu } from './path-mtu.ts';
import { isVlanOf, vlanName } from './vlan.ts';

export interface BringUpOptions {
  readonly ip: IpSetting;
  /** Sent to DHCP servers. */
  readonly hostname?: string;
  /** The link the machine was booted by (bootMacOf): a static address goes to it, and its lease is the one that counts. */
  readonly bootMac?: string;
  /** The VLAN that is used, of the card that the machine was booted by, else of each; made where it is not there. */
  readonly vlan?: number;
  /** Only this link is used, by its index. Default: any. */
  readonly only?: number;
  /** What udhcpc runs at its events. Default: where the initrd has it. */
  readonly hook?: string;
  /**
   * Asked when `signal` aborts. If so, the DHCP clients go on asking, one on every link: their hook sets up what they
   * get. For a machine that does not wait for its network.
   */
  readonly leaveAsking?: () => boolean;
  /** Default: where the initrd has it. */
  readonly busybox?: string;
  /** Must exist, and stay: /run/viver. */
  readonly directory: string;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** A line for the console or the log. */
  readonly onProgress?: (line: string) => void;
}

export interface NetworkUp {
  readonly link: Link;
  /** The hardware behind it; undefined inside a container. */
  readonly device: LinkDevice | undefined;
  readonly plan: AddressPlan;
  /** Undefined for a static address. */
  readonly lease: Lease | undefined;
  /** The DHCP client that keeps the lease from now on. */
  readonly clientPid: number | undefined;
  /** Why this link, for boot.json. */
  readonly reason: string;
}

/** The name servers and domains of the lease; the hook keeps it up to date. */
export const RESOLV_CONF = 'resolv.conf';

const DEFAULT_HOOK = '/bin/dhcp-hook';

/** What is known and done about one link. */
interface Attempt {
  link: Link;
  /** Set up by us, so set down again when another link wins. */
  raised: boolean;
  client: DhcpClient | undefined;
  trouble: string | undefined;
  /** A lease that waits for the boot card's. */
  held: Held | undefined;
}

/** A card that carries the VLAN: switched on for that, and asked for nothing itself. */
interface Carrier {
  readonly card: Link;
  readonly raised: boolean;
  /** Made by us, so deleted again when another one wins. */
  made: boolean;
}

/** What may become the network. */
type Held = Omit<NetworkUp, 'clientPid' | 'device'>;

async function configure(
  network: Rtnetlink,
  link: Link,
  plan: AddressPlan,
  directory: string,
  say: (line: string) => void,
): Promise<void> {
  const { address, prefixLength, mtu } = plan;
  probePathMtu(say);
  // Of first importance where it is less than the card's own: larger packets would get lost.
  if (mtu !== undefined && mtu !== link.mtu)
    await network.setMtu(link, mtu).catch((error: Error) => say(`${error.message}, which the DHCP server asks for`));
  await network.addAddress({ linkIndex: link.index, address, prefixLength });
  for (const route of plan.routes) await network.addRoute({ ...route, linkIndex: link.index });
  // For the hook, which compares with it when the lease changes later.
  writeFileSync(join(directory, `address-${link.name}`), `${address}/${prefixLength}\n`);
  const names = resolvConf(plan);
  if (names !== undefined) writeFileSync(join(directory, RESOLV_CONF), names);
}

function describe({ link, client, trouble }: Attempt, ipv6: ReadonlySet<string>): string {
  if (trouble !== undefined) return `${link.name}: ${trouble}`;
  const only6 = ipv6.has(link.name) ? ' (it has IPv6, by which VIVER does not boot: it wants IPv4)' : '';
  if (client !== undefined) return `${link.name}: no DHCP server answered${only6}`;
  return `${link.name}: ${link.carrier ? 'not asked yet' : 'no link'}`;
}

/**
 * One run: the links as they come and change are events, the first usable address settles it. Everything that another
 * link was given is taken back then, and all of it when nothing came.
 */
class BringUp {
  readonly #options: BringUpOptions;
  readonly #network = new Rtnetlink();
  readonly #attempts = new Map<number, Attempt>();
  readonly #carriers = new Map<number, Carrier>();
  readonly #outcome = Promise.withResolvers<Held>();
  readonly #startMs = performance.now();
  #holding: NodeJS.Timeout | undefined;

  constructor(options: BringUpOptions) {
    this.#options = options;
  }

  async run(): Promise<NetworkUp> {
    const { signal, directory } = this.#options;
    const watching = new AbortController();
    // Netlink sockets and timeout signals do not keep the process, and before a link comes there is nothing else.
    const waiting = setInterval(() => {}, 60_000);
    const onAbort = () => this.#giveUp(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    let winner: NetworkUp | undefined;
    try {
      if (signal.aborted) onAbort();
      else this.#watch(watching.signal).catch(this.#outcome.reject);
      const settled = await this.#outcome.promise;
      await configure(this.#network, settled.link, settled.plan, directory, (line) => this.#say(line));
      if (settled.lease !== undefined) writeLeaseFacts(directory, settled.lease);
      const clientPid = this.#attempts.get(settled.link.index)?.client?.pid;
      winner = { ...settled, device: readLinkDevice(settled.link.name), clientPid };
      return winner;
    } finally {
      clearInterval(waiting);
      clearTimeout(this.#holding);
      watching.abort();
      signal.removeEventListener('abort', onAbort);
      if (winner === undefined && this.#options.leaveAsking?.() === true) await this.#leave();
      else await this.#cleanUp(winner?.link.index);
      this.#network.close();
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const rescan = async () => {
      const links = await this.#network.links();
      for (const link of links) if (isUsable(link)) this.#carry(link);
      // All are known before one is chosen.
      for (const link of links) this.#note(link);
      for (const link of links) this.#see(link);
    };
    const fail = (error: unknown) => this.#outcome.reject(error);
    const onGone = (link: Link) => {
      this.#attempts.get(link.index)?.client?.stop();
      this.#attempts.delete(link.index);
    };
    watchLinks(
      { onLink: (link) => this.#see(link), onGone, onOverrun: () => void rescan().catch(fail), onError: fail },
      signal,
    );
    await rescan();
  }

  #say(line: string): void {
    this.#options.onProgress?.(line);
  }

  /** Without a VLAN every card is, with one only that. */
  #isMeant(link: Link): boolean {
    const { vlan } = this.#options;
    if (vlan === undefined) return isUsable(link);
    return isVlanOf(
      link,
      vlan,
      [...this.#carriers.values()].map(({ card }) => card),
    );
  }

  /** Has a card carry the VLAN that is wanted. */
  #carry(card: Link): void {
    const { vlan, bootMac } = this.#options;
    if (vlan === undefined || this.#carriers.has(card.index)) return;
    if (bootMac !== undefined && card.mac !== bootMac) return;
    const carrier: Carrier = { card, raised: !card.up, made: false };
    this.#carriers.set(card.index, carrier);
    const make = async (): Promise<void> => {
      if (!card.up) await this.#network.setUp(card, true);
      try {
        await this.#network.addVlan(card, vlanName(card.name, vlan), vlan);
        carrier.made = true;
      } catch (error) {
        if (!(error instanceof SyscallError && error.code === 'EEXIST')) throw error;
        // It is told of once by the list of links, which may have been read before its card was known.
        for (const link of await this.#network.links()) this.#see(link);
      }
    };
    make().catch((error: unknown) => this.#say(describeError(error)));
  }

  #note(link: Link): Attempt | undefined {
    const { only } = this.#options;
    if (!this.#isMeant(link) || (only !== undefined && link.index !== only)) return undefined;
    const attempt = this.#attempts.get(link.index) ?? {
      link,
      raised: false,
      client: undefined,
      trouble: undefined,
      held: undefined,
    };
    attempt.link = link;
    this.#attempts.set(link.index, attempt);
    return attempt;
  }

  #see(link: Link): void {
    if (isUsable(link)) this.#carry(link);
    const attempt = this.#note(link);
    if (attempt === undefined) return;
    this.#consider();
    if (!link.up && !attempt.raised) void this.#raise(attempt);
    if (!link.carrier || !link.up) return;
    if (this.#options.ip === 'dhcp') this.#ask(attempt);
    else this.#takeStatic(this.#options.ip);
  }

  async #raise(attempt: Attempt): Promise<void> {
    attempt.raised = true;
    try {
      await this.#network.setUp(attempt.link, true);
    } catch (error) {
      attempt.trouble = (error as Error).message;
      this.#say(attempt.trouble);
    }
  }

  #ask(attempt: Attempt): void {
    if (attempt.client !== undefined) return;
    const { hostname, hook = DEFAULT_HOOK, busybox, directory } = this.#options;
    attempt.trouble = undefined;
    this.#say(`${attempt.link.name} has a link, asking for an address`);
    attempt.client = startDhcpClient({
      interfaceName: attempt.link.name,
      ...(hostname === undefined ? {} : { hostname }),
      hook,
      ...(busybox === undefined ? {} : { busybox }),
      directory,
      onEvent: (event) => this.#hear(attempt, event),
      onEnd: (error) => {
        attempt.client = undefined;
        attempt.trouble = error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
      },
    });
  }

  #hear(attempt: Attempt, { event, variables }: DhcpEvent): void {
    if (event !== 'bound' && event !== 'renew') return;
    try {
      const lease = parseLease(variables);
      const others = this.#attempts.size - 1;
      const from = lease.server === undefined ? '' : ` (${lease.server})`;
      const reason = others === 0 ? `DHCP${from}` : `first DHCP answer${from} of ${others + 1} interfaces`;
      const refused = refusalOf(lease);
      if (refused !== undefined) throw new Error(refused);
      const { link } = attempt;
      const isBoot = link.mac === this.#options.bootMac;
      attempt.held = { link, plan: planLease(lease), lease, reason: isBoot ? `${reason}, booted by it` : reason };
      this.#consider();
    } catch (error) {
      attempt.trouble = (error as Error).message;
      this.#say(`${attempt.link.name}: ${attempt.trouble}`);
    }
  }

  /** Takes the lease that counts, if it is there: the boot card's; another one when that has had its time. */
  #consider(): void {
    const { bootMac } = this.#options;
    const attempts = [...this.#attempts.values()];
    const held = attempts.flatMap((attempt) => attempt.held ?? []);
    const [first] = held;
    if (first === undefined) return;
    const own = held.find(({ link }) => link.mac === bootMac);
    const boot = attempts.find(({ link }) => link.mac === bootMac)?.link;
    const card = { isThere: boot !== undefined, carrier: boot?.carrier === true };
    const leftMs = this.#startMs + patienceMs(card) - performance.now();
    clearTimeout(this.#holding);
    if (own !== undefined || bootMac === undefined || leftMs <= 0) {
      this.#outcome.resolve(own ?? this.#instead(first));
      return;
    }
    if (this.#holding === undefined)
      this.#say(`${first.link.name} has an answer; the card ${bootMac} is waited for, by which the machine was booted`);
    this.#holding = setTimeout(() => this.#consider(), leftMs);
  }

  #instead(held: Held): Held {
    const { bootMac } = this.#options;
    return bootMac === undefined
      ? held
      : { ...held, reason: `${held.reason}; none for ${bootMac}, which it was booted by` };
  }

  /** The time is over: what is there is better than nothing. */
  #giveUp(cause: unknown): void {
    const [first] = [...this.#attempts.values()].flatMap(({ held }) => held ?? []);
    if (first !== undefined) this.#outcome.resolve(this.#instead(first));
    else this.#outcome.reject(new Error(this.#failure(), { cause }));
  }

  #takeStatic(plan: AddressPlan): void {
    const links = [...this.#attempts.values()].map(({ link }) => link);
    const { bootMac, vlan } = this.#options;
    const link = chooseStatic(links, bootMac, vlan !== undefined);
    if (link === undefined) return;
    const reason = link.mac === this.#options.bootMac ? 'viver.ip, booted by it' : 'viver.ip, first with a link';
    this.#outcome.resolve({ link, plan, lease: undefined, reason });
  }

  #failure(): string {
    const attempts = [...this.#attempts.values()];
    const { vlan, bootMac } = this.#options;
    if (attempts.length === 0 && vlan !== undefined)
      return `no network: no VLAN ${vlan} (viver.vlan=): ${this.#carriers.size === 0 ? `no card ${bootMac ?? 'at all'} has appeared` : 'it could not be made'}`;
    if (attempts.length === 0) return 'no network: no interface has appeared';
    const ipv6 = readIpv6Links();
    return `no network: ${attempts.map((attempt) => describe(attempt, ipv6)).join('; ')}`;
  }

  /** A link without a cable gets its client, or its own address, too: for when there is one. */
  async #leave(): Promise<void> {
    const { ip, bootMac, directory } = this.#options;
    const attempts = [...this.#attempts.values()];
    if (ip === 'dhcp') {
      for (const attempt of attempts) {
        if (attempt.trouble === undefined) this.#ask(attempt);
        attempt.client?.letGo();
      }
      return;
    }
    const { link } = attempts.find((attempt) => attempt.link.mac === bootMac) ?? attempts[0] ?? {};
    if (link !== undefined)
      await configure(this.#network, link, ip, directory, (line) => this.#say(line)).catch((error: Error) =>
        this.#say(error.message),
      );
  }

  async #cleanUp(winner: number | undefined): Promise<void> {
    for (const [index, { link, raised, client, trouble }] of this.#attempts) {
      if (index === winner) client?.letGo();
      else client?.stop();
      if (index === winner || !raised || trouble !== undefined) continue;
      await this.#network.setUp(link, false).catch((error: Error) => this.#say(error.message));
    }
    const kept = winner === undefined ? undefined : this.#attempts.get(winner)?.link.name;
    for (const carrier of this.#carriers.values())
      await this.#uncarry(carrier, kept).catch((error: Error) => this.#say(error.message));
  }

  async #uncarry({ card, raised, made }: Carrier, kept: string | undefined): Promise<void> {
    const name = vlanName(card.name, this.#options.vlan ?? 0);
    if (name === kept) return;
    const link = (await this.#network.links()).find((one) => one.name === name);
    if (made && link !== undefined) await this.#network.deleteLink(link);
    if (raised) await this.#network.setUp(card, false);
  }
}

/**
 * Brings the network up: every interface at once, as each gets a link and as drivers bring more. The address of the
 * interface that the machine was booted by wins, the first usable one where that is not known or gets none, and is set
 * up with its routes. Interfaces that lose are as they were before.
 * @throws Error that names each interface and what it lacked, when `signal` aborts first
 */
export async function bringUp(options: BringUpOptions): Promise<NetworkUp> {
  return await new BringUp(options).run();
}
