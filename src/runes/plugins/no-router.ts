import { setTimeout as sleep } from 'node:timers/promises';
import { Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import { PacketSocket } from '../../linux/socket/packet-socket.ts';
import { ALL_ROUTERS_MAC, decodeSolicitation, encodeNoRouter, linkLocalOf } from '../../net/router-solicitation.ts';
import { definePlugin } from '../engine/plugin.ts';
import { Unanswered } from '../web/unanswered.ts';

const POLL_MS = 150;
/** On a network that others run, who has asked so often got no answer of a router. */
const ASKED_IN_VAIN = 3;

export default definePlugin({
  name: 'no-router',
  summary:
    'tells who asks for an IPv6 router where there is none that there is none: iPXE waits 16 s for one otherwise',
  requires: ['address', 'dhcp'],
  async start(context) {
    const { interfaceName, mac } = await context.ask('address').network();
    using network = new Rtnetlink();
    const link = (await network.links()).find(({ name }) => name === interfaceName);
    if (link === undefined) throw new Error(`the interface ${interfaceName} is gone`);
    const socket = new PacketSocket(link.index, 'ipv6');
    context.defer(() => socket[Symbol.dispose]());
    socket.join(ALL_ROUTERS_MAC);
    const own = linkLocalOf(mac);
    const unanswered = new Unanswered();
    const listen = async (): Promise<void> => {
      while (!context.signal.aborted) {
        for (let packet = socket.receive(); packet !== undefined; packet = socket.receive()) {
          const asker = decodeSolicitation(packet);
          if (asker === undefined) continue;
          const times = unanswered.ask(asker.mac, performance.now());
          const { mode } = await context.ask('dhcp').mode();
          const isAlone = mode === 'full' || (mode === 'proxy' && times >= ASKED_IN_VAIN);
          if (isAlone) socket.send(encodeNoRouter(own, asker.address), asker.mac);
        }
        await sleep(POLL_MS, undefined, { signal: context.signal });
      }
    };
    listen().catch((error: unknown) => {
      if (!context.signal.aborted) context.fail(error instanceof Error ? error : new Error(String(error)));
    });
    return {};
  },
});
