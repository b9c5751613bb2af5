import { setTimeout as sleep } from 'node:timers/promises';
import { Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import type { Network } from '../engine/interfaces.ts';
import type { Context } from '../engine/plugin.ts';
import { keptBusybox } from '../kept-program.ts';
import { findHolder } from './arp-probe.ts';
import type { Holders } from './holders.ts';

/** By then whoever chose at the same time has its address. */
const SETTLED_MS = 2000;

/** Who but this machine has an address. */
export async function askHolder(
  network: Rtnetlink,
  interfaceName: string,
  address: string,
): Promise<string | undefined> {
  const own = (await network.links()).map(({ mac }) => mac);
  return await findHolder(interfaceName, address, { busybox: keptBusybox(), own });
}

/**
 * Machines that are switched on together all look whether an address is free before any of them has it: an own one is
 * asked for once more when it has been there for a moment.
 */
export async function keepAlone(
  { signal, restart, log }: Context<never>,
  own: Network,
  holders: Holders,
): Promise<void> {
  const { interfaceName, mac, address, prefixLength } = own;
  await sleep(SETTLED_MS, undefined, { signal });
  using network = new Rtnetlink();
  const holder = await askHolder(network, interfaceName, address);
  if (holder === undefined || signal.aborted) return;
  if (!holders.giveUp(mac, holder, address)) {
    const who = holder === 'unknown' ? 'something that gave no MAC' : holder;
    log(`${address} was chosen by ${who} too, which is to give it up`);
    return;
  }
  const link = (await network.links()).find(({ name }) => name === interfaceName);
  if (link !== undefined) await network.deleteAddress({ linkIndex: link.index, address, prefixLength });
  restart(`${holder} has chosen ${address} too`);
}
