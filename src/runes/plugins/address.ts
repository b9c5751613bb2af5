import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Link, Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import { parseIpSetting, parseResolvConf } from '../../net/address-plan.ts';
import { bringUp, RESOLV_CONF } from '../../net/bring-up.ts';
import { isUsable } from '../../net/interfaces.ts';
import { probePathMtu } from '../../net/path-mtu.ts';
import { parseVlan, vlanName } from '../../net/vlan.ts';
import { Holders } from '../dhcp/holders.ts';
import { askHolder, keepAlone } from '../dhcp/keep-alone.ts';
import { choosePrivate, dhcpRange, isOwnRange, type Subnet } from '../dhcp/private-range.ts';
import { isTold, linksWithServer, wireToServe } from '../dhcp/wires.ts';
import type { Network } from '../engine/interfaces.ts';
import { type Context, definePlugin } from '../engine/plugin.ts';
import { keptBusybox, keptDhcpHook } from '../kept-program.ts';
import { lossOf } from '../lost-address.ts';
import { type Machine, wordOf } from '../machine.ts';
import { findKeeper } from '../network-managers/keeper.ts';
import { RUN_DIRECTORY } from '../places.ts';
import { cardsWithCarrier } from '../wired-cards.ts';

/** A DHCP server answers at once, or its relay within a second or two; three questions are asked in this time. */
const DHCP_PATIENCE_MS = 4000;
const ADDRESS_FILE = 'address-';
const KEEPER_POLL_MS = 200;
/** NetworkManager has its lease five to ten seconds after a slow machine's cable is seen. */
const KEEPER_PATIENCE_MS = 15_000;
const ATTEMPTS = 8;
const WATCH_MS = 5000;
/** From one question to a server that gave nothing to the next, which comes after twice as long. */
const RENEW_MS = 15_000;
const LONGEST_RENEW_MS = 300_000;

/**
 * What /init set up for the root this machine hangs on, or this plugin before: the DHCP client keeps `address-INTERFACE` up
 * to date, and ends with the name of its interface.
 */
async function networkOfBoot(
  network: Rtnetlink,
): Promise<{ readonly boot: Network; readonly isKept: boolean } | undefined> {
  const links = await network.links();
  const addresses = await network.addresses();
  const found = readdirSync(RUN_DIRECTORY).flatMap((file) => {
    if (!file.startsWith(ADDRESS_FILE)) return [];
    const [wanted] = readFileSync(`${RUN_DIRECTORY}/${file}`, 'utf8').trim().split('/');
    const own = addresses.find(({ address }) => address === wanted);
    // by the address, not by the name: udev may have given the interface another one since
    const link = links.find(({ index }) => index === own?.linkIndex);
    if (own === undefined || link === undefined) return []; // of an interface that is gone
    return [{ own, link, isKept: file === `${ADDRESS_FILE}${link.name}` }];
  });
  const best = found.find(({ isKept }) => isKept) ?? found[0];
  if (best === undefined) return undefined;
  const { own, link, isKept } = best;
  const route = (await network.routes()).find(
    ({ prefixLength, linkIndex }) => prefixLength === 0 && linkIndex === link.index,
  );
  const boot: Network = {
    interfaceName: link.name,
    mac: link.mac,
    address: own.address,
    prefixLength: own.prefixLength,
    gateway: route?.gateway,
    ...namesOfBoot(),
    origin: 'lease',
    server: undefined,
  };
  return { boot, isKept };
}

function namesOfBoot(): Pick<Network, 'dns' | 'search'> {
  const file = `${RUN_DIRECTORY}/${RESOLV_CONF}`;
  return parseResolvConf(existsSync(file) ? readFileSync(file, 'utf8') : '');
}

/**
 * What the image's own network manager gives a wire, on a machine whose root does not hang on it. It may take as long as
 * its DHCP client asks before it says that nobody is there.
 */
async function networkOfKeeper(network: Rtnetlink, keeper: string, signal: AbortSignal): Promise<Network | undefined> {
  const endMs = performance.now() + KEEPER_PATIENCE_MS;
  for (;;) {
    const links = (await network.links()).filter(isUsable);
    const routes = await network.routes();
    for (const own of await network.addresses()) {
      const link = links.find(({ index }) => index === own.linkIndex);
      if (link === undefined || own.address.startsWith('169.254.') || isOwnRange(own)) continue;
      const route = routes.find(({ prefixLength, linkIndex }) => prefixLength === 0 && linkIndex === link.index);
      return {
        interfaceName: link.name,
        mac: link.mac,
        address: own.address,
        prefixLength: own.prefixLength,
        gateway: route?.gateway,
        dns: [],
        search: [],
        keeper,
        origin: 'lease',
        server: undefined,
      };
    }
    if (performance.now() > endMs) return undefined;
    await sleep(KEEPER_POLL_MS, undefined, { signal });
  }
}

function vlanWord({ commandLine }: Machine): { readonly vlan?: number } {
  const vlan = parseVlan(wordOf(commandLine, 'viver.vlan'));
  return vlan === undefined ? {} : { vlan };
}

/** @param only the link that is asked; undefined: the first answer of any wins */
async function askDhcp(machine: Machine, signal: AbortSignal, only?: Link): Promise<Network | undefined> {
  try {
    const up = await bringUp({
      ip: parseIpSetting(wordOf(machine.commandLine, 'viver.ip') ?? 'dhcp'),
      ...(machine.bootMac === undefined ? {} : { bootMac: machine.bootMac }),
      ...(only === undefined ? {} : { only: only.index }),
      ...vlanWord(machine),
      hostname: machine.hostname,
      hook: keptDhcpHook(),
      busybox: keptBusybox(),
      directory: RUN_DIRECTORY,
      signal: AbortSignal.any([signal, AbortSignal.timeout(DHCP_PATIENCE_MS)]),
    });
    const { link, plan, lease } = up;
    return {
      interfaceName: link.name,
      mac: link.mac,
      address: plan.address,
      prefixLength: plan.prefixLength,
      gateway: plan.routes.find(({ prefixLength }) => prefixLength === 0)?.gateway,
      dns: plan.dns,
      search: plan.search,
      origin: lease === undefined ? 'static' : 'lease',
      server: lease?.server,
    };
  } catch (error) {
    signal.throwIfAborted();
    // nobody answered in time; every other trouble shows again when the address is set
    if (!(error instanceof Error && error.message.startsWith('no network'))) throw error;
    return undefined;
  }
}

/** The address that this machine takes first on an empty network, and who has it: asked while DHCP is. */
interface EarlyProbe {
  readonly address: string;
  readonly holder: Promise<string | undefined>;
}

async function probeEarly(network: Rtnetlink, link: Link): Promise<EarlyProbe> {
  const { address } = choosePrivate(link.mac, await networksBeside(network, link), 0);
  const holder = askHolder(network, link.name, address);
  holder.catch(() => {}); // heard of when its answer is wanted
  return { address, holder };
}

async function networksBeside(network: Rtnetlink, link: Link): Promise<Subnet[]> {
  const others = (await network.addresses()).filter(({ linkIndex }) => linkIndex !== link.index);
  const routes = (await network.routes()).flatMap(({ destination, prefixLength, linkIndex }) =>
    prefixLength === 0 || linkIndex === link.index ? [] : [{ address: destination, prefixLength }],
  );
  return [...others, ...routes];
}

async function chooseOwn(network: Rtnetlink, link: Link, early: EarlyProbe, holders: Holders): Promise<Network> {
  const addresses = await network.addresses();
  const beside = await networksBeside(network, link);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const own = choosePrivate(link.mac, beside, attempt);
    const isOurs = addresses.some(({ address, linkIndex }) => address === own.address && linkIndex === link.index);
    const ask = () => (own.address === early.address ? early.holder : askHolder(network, link.name, own.address));
    const holder = isOurs ? undefined : await ask();
    if (holder !== undefined && holders.note(holder, own.address)) continue;
    await network.addAddress({ linkIndex: link.index, ...own });
    // DHCP answers and multicast leave by this link; a lease that comes later brings its own route
    return {
      interfaceName: link.name,
      mac: link.mac,
      ...own,
      gateway: undefined,
      dns: [],
      search: [],
      origin: 'chosen',
      server: undefined,
    };
  }
  throw new Error(`${link.name}: ${ATTEMPTS} addresses tried, all are taken`);
}

const linkOf = ({ interfaceName, mac }: Network) => ({ name: interfaceName, mac });
/** The card that the machine was booted by goes first. */
const rankOf = ({ mac }: Link, { bootMac }: Machine) => (mac === bootMac ? 1 : 0);

/**
 * On a machine with several wires, and a root that hangs on none of them: it serves the wire that it is told to, or one
 * where no DHCP server answers; the address that it gets on another one is for itself.
 */
async function findAmong(
  { machine, signal, log }: Context<never>,
  network: Rtnetlink,
  links: readonly Link[],
  known: Network | undefined,
  holders: Holders,
): Promise<Network> {
  const serve = wordOf(machine.commandLine, 'viver.serve');
  const told = links.find((link) => isTold(serve, link));
  const [first] = links;
  if (first === undefined) throw new Error('no network interface has a link');
  const early = await probeEarly(network, told ?? first);
  const [answered, withServer, ofTold] = await Promise.all([
    known ??
      (told === undefined || serve === undefined ? askDhcp(machine, signal) : askOthers(machine, links, told, signal)),
    linksWithServer(links, DHCP_PATIENCE_MS, signal),
    told === undefined ? undefined : askDhcp(machine, signal, told),
  ]);
  if (ofTold !== undefined) return ofTold;
  if (answered?.origin === 'static') return answered;
  const names = new Set([...withServer, ...(answered === undefined ? [] : [answered.interfaceName])]);
  const wire = wireToServe(links, names, serve);
  if (answered !== undefined && (wire === undefined || wire.name === answered.interfaceName)) return answered;
  if (answered !== undefined) log(`${answered.interfaceName} has ${answered.address}, and ${wire?.name} is served`);
  return await chooseOwn(network, wire ?? first, early, holders);
}

/** An address for this machine itself on a wire that it does not serve. */
async function askOthers(
  machine: Machine,
  links: readonly Link[],
  told: Link,
  signal: AbortSignal,
): Promise<Network | undefined> {
  const asked = await Promise.all(links.filter((link) => link !== told).map((link) => askDhcp(machine, signal, link)));
  return asked.find((one) => one !== undefined);
}

/** With a cable; the card that the machine was booted by goes first. */
async function cardsOf({ machine, signal, log }: Context<never>, network: Rtnetlink): Promise<Link[]> {
  const cards = await cardsWithCarrier({ network, signal, log });
  return cards.sort((a, b) => rankOf(b, machine) - rankOf(a, machine));
}

/** On a machine that serves a VLAN only (`viver.vlan=`): its address there, else one of VIVER's own. */
async function findOnVlan(
  context: Context<never>,
  network: Rtnetlink,
  vlan: number,
  holders: Holders,
): Promise<Network> {
  const { machine, signal, log } = context;
  const cards = await cardsOf(context, network);
  const serve = wordOf(machine.commandLine, 'viver.serve');
  const card = cards.find((one) => isTold(serve, one)) ?? cards[0];
  if (card === undefined) throw new Error('no network interface has a link');
  const answered = await askDhcp(machine, signal);
  if (answered !== undefined) return answered;
  const name = vlanName(card.name, vlan);
  const find = async () => (await network.links()).find((one) => one.name === name);
  await network.setUp(card, true);
  if ((await find()) === undefined) await network.addVlan(card, name, vlan);
  const link = await find();
  if (link === undefined) throw new Error(`the VLAN ${name} is gone`);
  await network.setUp(link, true);
  log(`${name} is served, the VLAN of viver.vlan=${vlan}`);
  return await chooseOwn(network, link, await probeEarly(network, link), holders);
}

async function find(context: Context<never>, holders: Holders): Promise<Network> {
  using network = new Rtnetlink();
  const { machine, signal } = context;
  await mkdir(RUN_DIRECTORY, { recursive: true });
  // Without it a machine cannot reach its own addresses; systemd sees to it, other init systems leave it to ifupdown.
  for (const link of await network.links()) if (link.loopback && !link.up) await network.setUp(link, true);
  const serve = wordOf(machine.commandLine, 'viver.serve');
  const isSet = (wordOf(machine.commandLine, 'viver.ip') ?? 'dhcp') !== 'dhcp';
  const left = await networkOfBoot(network);
  // A lease that nobody renews is asked for anew, unless the root hangs on it.
  const known = left?.isKept === false && !isSet && machine.booted === 'medium' ? undefined : left?.boot;
  if (known !== undefined && (isSet || machine.booted === 'network' || isTold(serve, linkOf(known)))) return known;
  const { vlan } = vlanWord(machine);
  if (vlan !== undefined && known === undefined) return await findOnVlan(context, network, vlan, holders);
  const links = await cardsOf(context, network);
  const [link] = links;
  if (link === undefined && known !== undefined) return known;
  if (link === undefined) throw new Error('no network interface has a link');
  if (findKeeper() === undefined && links.length > 1) return await findAmong(context, network, links, known, holders);
  if (known !== undefined) return known;
  await network.setUp(link, true);
  const early = await probeEarly(network, link);
  const keeper = findKeeper();
  const answered =
    keeper === undefined ? await askDhcp(machine, signal) : await networkOfKeeper(network, keeper, signal);
  if (answered !== undefined) return answered;
  return await chooseOwn(network, link, early, holders);
}

/** Whether the network gives this machine an address now, on the wire where it chose one. It is set up then. */
async function isGiven({ machine, signal }: Context<never>, { interfaceName }: Network): Promise<boolean> {
  using network = new Rtnetlink();
  const keeper = findKeeper();
  if (keeper !== undefined) return (await networkOfKeeper(network, keeper, signal)) !== undefined;
  const link = (await network.links()).find(({ name }) => name === interfaceName);
  return link !== undefined && (await askDhcp(machine, signal, link)) !== undefined;
}

/**
 * A server that offers may give nothing: some give addresses to firmware only, and anybody can send an offer. So it is
 * asked beside what runs, which begins anew only with an address, and then ever more seldom.
 */
function renewal(context: Context<never>, network: Network): (reason: string) => void {
  let isAsking = false;
  let waitMs = RENEW_MS;
  let nextMs = Number.NEGATIVE_INFINITY;
  const ask = async (reason: string): Promise<void> => {
    if (await isGiven(context, network)) {
      context.restart(reason);
      return;
    }
    if (waitMs === RENEW_MS) context.log(`${reason}, but gives this machine no address`);
    nextMs = performance.now() + waitMs;
    waitMs = Math.min(waitMs * 2, LONGEST_RENEW_MS);
  };
  return (reason) => {
    if (isAsking || performance.now() < nextMs) return;
    isAsking = true;
    ask(reason)
      .catch((error: unknown) => {
        if (!context.signal.aborted) context.fail(error instanceof Error ? error : new Error(String(error)));
      })
      .finally(() => {
        isAsking = false;
      });
  };
}

/** A DHCP client may have been given another address meanwhile, or somebody took it away, or gave the card another name. */
async function watch({ signal, restart }: Context<never>, own: Network): Promise<void> {
  for (;;) {
    await sleep(WATCH_MS, undefined, { signal });
    using network = new Rtnetlink();
    const loss = lossOf(own, await network.addresses(), await network.links());
    if (loss === undefined) continue;
    restart(loss);
    return;
  }
}

/** Who answered for an address is remembered when this begins anew because of that. */
function makePlugin(holders = new Holders()) {
  return definePlugin({
    name: 'address',
    summary: "the network's own address where a DHCP server answers, else one of a free private range",
    provides: ['address'],
    async start(context) {
      const network = await find(context, holders);
      const { interfaceName, address, prefixLength, origin, server, keeper } = network;
      probePathMtu(context.log);
      const how = {
        lease: keeper === undefined ? `by DHCP${server === undefined ? '' : ` from ${server}`}` : `by ${keeper}`,
        static: 'by viver.ip',
        chosen: 'chosen, since no DHCP server answered',
      };
      context.log(`${interfaceName} has ${address}/${prefixLength}, ${how[origin]}`);
      const renew = renewal(context, network);
      for (const work of [watch, ...(origin === 'chosen' ? [keepAlone] : [])]) {
        work(context, network, holders).catch((error: unknown) => {
          if (!context.signal.aborted) context.fail(error instanceof Error ? error : new Error(String(error)));
        });
      }
      return {
        address: {
          network: async () => network,
          range: async () => dhcpRange(network),
          renew: async (reason) => renew(reason),
        },
      };
    },
  });
}

export default makePlugin();
