import { execFileSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { Rtnetlink, watchLinks } from '../../../../src/linux/netlink/rtnetlink.ts';

const ip = (...words: string[]) => execFileSync('ip', words, { encoding: 'utf8' });
const seen: string[] = [];
const watching = new AbortController();
watchLinks(
  {
    onLink: ({ name, up, carrier }) => seen.push(`${name} ${up ? 'up' : 'down'} ${carrier ? 'carrier' : 'none'}`),
    onGone: ({ name }) => seen.push(`${name} gone`),
    onOverrun: () => seen.push('overrun'),
    onError: (error) => seen.push(error.message),
  },
  watching.signal,
);

ip('link', 'add', 'left', 'address', '02:00:00:00:00:01', 'type', 'veth', 'peer', 'name', 'right');
using network = new Rtnetlink();
const links = await network.links();
const left = links.find(({ name }) => name === 'left');
const right = links.find(({ name }) => name === 'right');
if (left === undefined || right === undefined) throw new Error('no veth');
await network.setUp(left, true);
await network.setUp(right, true);
const after = (await network.links()).find(({ name }) => name === 'left');

const address = { linkIndex: left.index, address: '10.1.2.3', prefixLength: 24 };
await network.addAddress(address);
await network.addAddress(address);
const route = { linkIndex: left.index, destination: '0.0.0.0', prefixLength: 0, gateway: '10.1.2.1', metric: 7 };
await network.addRoute(route);
await network.addRoute({ linkIndex: left.index, destination: '10.9.0.0', prefixLength: 16 });
const addresses = await network.addresses();
const routes = await network.routes();
const ipShows = { address: ip('-4', '-o', 'address', 'show', 'left'), routes: ip('-4', 'route') };
const errors: string[] = [];
const failing = [
  () => network.addRoute({ ...route, gateway: '192.168.7.1' }),
  () => network.addAddress({ ...address, linkIndex: 4711 }),
  () => network.setUp({ index: 4711, name: 'none' }, true),
];
for (const action of failing) await action().catch((error: Error) => errors.push(error.message));
await network.deleteRoute(route);
const withoutDefault = await network.routes();
// The kernel drops the routes with the last address.
await network.deleteAddress(address);
const remaining = { addresses: await network.addresses(), routes: await network.routes() };
await network.setUp(left, false);
ip('link', 'delete', 'left');
while (!seen.includes('right gone')) await setTimeout(5);
watching.abort();
process.stdout.write(
  JSON.stringify({
    left,
    after,
    addresses,
    routes,
    ipShows,
    errors,
    remaining,
    withoutDefault,
    seen,
    leftIndex: left.index,
  }),
);
