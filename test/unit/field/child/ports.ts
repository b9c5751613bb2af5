/** In a network name space of its own with eight ports to choose from, three of which have a datagram socket already. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { openSockets } from '../../../../src/field/edge/sockets.ts';

const HOST = '127.0.0.1';
execFileSync('ip', ['link', 'set', 'lo', 'up']);
writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', '40000 40007');

async function take(port: number): Promise<void> {
  const socket = createSocket('udp4').unref();
  socket.bind({ address: HOST, port });
  await once(socket, 'listening');
}
const open = (port: number) => openSockets({ listen: { host: HOST, port }, multicast: false, log: () => {} });

// By itself the system takes an odd one of these for a server (inet_csk_find_open_port()), as long as there is one.
for (const port of [40_001, 40_003, 40_005]) await take(port);
const pairs = [await open(0), await open(0)];
const opened = pairs.map(({ udp, server }) => {
  const bound = server.address();
  return [udp.address().port, typeof bound === 'object' ? bound?.port : undefined];
});
// A port that was asked for by its number is that one or none.
const named = await open(40_003).then(
  () => 'opened',
  (error: unknown) => (error instanceof Error && 'code' in error ? error.code : String(error)),
);
console.log(JSON.stringify({ opened, named }));
process.exit();
