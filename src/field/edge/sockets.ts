import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import type { LookupOneOptions } from 'node:dns';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { hearOwnGroupsOnly, setCongestionControl } from '../../linux/socket/socket-option.ts';
import type { Endpoint } from '../wire/address.ts';
import { DEFAULT_PORT, MULTICAST_GROUP } from '../wire/protocol.ts';

/**
 * Linux's own default, whatever this machine has chosen for longer ways. Thirty nodes that read at once took 1.58 times
 * the least time possible under 'bbr', which sends by timers, two packets at a time, and 1.37 times under this.
 */
const CONGESTION_CONTROL = 'cubic';

/** What a node listens with: one port for datagrams and connections, and the group's when there is one. */
export interface Sockets {
  readonly udp: UdpSocket;
  readonly group: UdpSocket | undefined;
  readonly server: Server;
}

export interface SocketOptions {
  readonly listen: Endpoint;
  readonly multicast: boolean;
  readonly log: (line: string) => void;
}

/** Where datagrams go is no name: it is not asked for, which would cost each of them a turn of the event loop. */
function numericLookup(
  host: string,
  _: LookupOneOptions,
  done: (error: null, address: string, family: number) => void,
): void {
  done(null, host, host.includes(':') ? 6 : 4);
}

/** Port 0 leaves the choice to the system, which chooses what is free for connections: for datagrams it may be taken. */
const MOST_PORTS_TRIED = 16;

/** @throws the system's error when the address is not to be had */
async function openPair(listen: Endpoint): Promise<{ server: Server; udp: UdpSocket }> {
  const given = listen.port === 0 ? MOST_PORTS_TRIED : 1;
  // Held until there is a pair: what is closed at once may be chosen again.
  const unfit: Server[] = [];
  try {
    for (;;) {
      const server = createServer({ noDelay: true });
      server.listen({ host: listen.host, port: listen.port, backlog: 1024 });
      await once(server, 'listening');
      const bound = server.address();
      const port = typeof bound === 'object' && bound !== null ? bound.port : listen.port;
      // The group's socket has the same port; that nobody else has it is seen by the one that listens for connections.
      const type = listen.host.includes(':') ? 'udp6' : 'udp4';
      const udp = createSocket({ type, recvBufferSize: 1 << 20, reuseAddr: true, lookup: numericLookup });
      // Asked for before: without a name to look up, it listens at once.
      const listening = once(udp, 'listening');
      udp.bind({ address: listen.host, port });
      try {
        await listening;
        return { server, udp };
      } catch (error) {
        udp.close();
        unfit.push(server);
        const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
        if (!isTaken || unfit.length >= given) throw error;
      }
    }
  } finally {
    for (const server of unfit) server.close();
  }
}

/** @throws the system's error when the address is not to be had */
export async function openSockets({ listen, multicast, log }: SocketOptions): Promise<Sockets> {
  const { server, udp } = await openPair(listen);
  // Without it the machine's own choice does.
  setCongestionControl(server, CONGESTION_CONTROL);
  if (!multicast || listen.host.includes(':')) return { udp, group: undefined, server };
  const group = createSocket({ type: 'udp4', reuseAddr: true });
  try {
    group.bind({ address: MULTICAST_GROUP, port: DEFAULT_PORT });
    await once(group, 'listening');
    if (!hearOwnGroupsOnly(udp)) log('calls by multicast are heard twice');
    return { udp, group, server };
  } catch (error) {
    group.close();
    log(`no multicast here (${error instanceof Error ? error.message : String(error)}): only named peers are found`);
    return { udp, group: undefined, server };
  }
}
