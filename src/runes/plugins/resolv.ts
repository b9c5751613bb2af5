import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../../linux/describe-error.ts';
import { parseResolvConf } from '../../net/address-plan.ts';
import { RESOLV_CONF } from '../../net/bring-up.ts';
import type { Network } from '../engine/interfaces.ts';
import { type Context, definePlugin } from '../engine/plugin.ts';
import { readKeptLinks } from '../network-managers/kept-links.ts';
import { RUN_DIRECTORY } from '../places.ts';
import { NO_SERVER, planResolv, RESOLV, tellResolvedBefore, tellResolvers } from '../resolvers.ts';

/** Written before the switch or after it, whichever knows the servers; the image's file is a link to it. */
const OURS = `${RUN_DIRECTORY}/${RESOLV_CONF}`;
/** A resolver that starts at the same time is asked again. */
const ATTEMPTS = 5;
const AGAIN_MS = 2000;
/** How often the DHCP client's file is looked at: a lease may bring other servers. */
const WATCH_MS = 10_000;

const KEEPERS = ['/usr/sbin/NetworkManager', '/usr/bin/NetworkManager', '/usr/sbin/connmand', '/usr/bin/connmand'];

const namesNow = () => parseResolvConf(existsSync(OURS) ? readFileSync(OURS, 'utf8') : '');

async function tell({ log, signal }: Context<'address'>, { interfaceName, dns, search }: Network): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const told = await tellResolvers(interfaceName, { dns, search }, OURS);
      if (told.length > 0) log(`${dns.join(' ')} told to ${told.join(', ')}`);
      return;
    } catch (error) {
      if (attempt === ATTEMPTS) log(`name servers ${dns.join(' ')}: ${describeError(error)}`);
      if (attempt === ATTEMPTS) return;
      await sleep(AGAIN_MS, undefined, { signal });
    }
  }
}

async function follow(context: Context<'address'>, network: Network): Promise<void> {
  await tell(context, network);
  for (let last = network; ; ) {
    await sleep(WATCH_MS, undefined, { signal: context.signal });
    const names = namesNow();
    const isSame = [names.dns, names.search].join() === [last.dns, last.search].join();
    if (isSame || names.dns.length === 0) continue;
    last = { ...network, ...names };
    await tell(context, last);
  }
}

export default definePlugin({
  name: 'resolv',
  summary: "the network's name servers for whatever keeps /etc/resolv.conf in the image, or in that file itself",
  requires: ['address'],
  prepare(root) {
    tellResolvedBefore(root, namesNow());
    const isKeptByDesktop = readKeptLinks().length === 0 && KEEPERS.some((path) => root.has(path));
    const { link, why } = planResolv(root, isKeptByDesktop);
    if (link) root.link(RESOLV, OURS);
    // A link that leads nowhere ends units that name it: ReadWritePaths= in systemd.exec(5), as Debian's dhcpcd has it.
    if (link && root.read(OURS) === undefined) root.write(OURS, NO_SERVER);
    root.note(link ? `${RESOLV} leads to ${OURS}: ${why}` : `${RESOLV}: ${why}`);
  },
  async start(context) {
    const network = await context.ask('address').network();
    // who gave the address knows the servers too
    if (network.keeper === undefined)
      follow(context, network).catch((error: unknown) => {
        if (!context.signal.aborted) context.fail(error instanceof Error ? error : new Error(String(error)));
      });
    return {};
  },
});
