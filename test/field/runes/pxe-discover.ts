/** What PXE firmware hears on eth0: all offers, with whether each gives an address and a boot service. Prints JSON. */
import { Rtnetlink } from '../../../src/linux/netlink/rtnetlink.ts';
import { askDhcp } from '../../../src/net/ask-dhcp.ts';

const text = (value: string) => [...Buffer.from(value)];
const option = (code: number, value: readonly number[]) => [code, value.length, ...value];

using network = new Rtnetlink();
const link = (await network.links()).find(({ name }) => name === 'eth0');
if (link === undefined) throw new Error('no eth0');
const extra = [
  ...option(60, text('PXEClient:Arch:00000:UNDI:002001')),
  ...option(93, [0, 0]),
  ...option(94, [1, 2, 1]),
  ...option(97, [0, ...Buffer.alloc(16, 7)]),
];
const offers = await askDhcp(link, { timeoutMs: 4000, wanted: [43, 60, 66, 67], extra });
const told = offers.map(({ server, yourAddress, options }) => ({
  server,
  gives: yourAddress !== '0.0.0.0',
  pxe: Buffer.from(options.get(60) ?? []).toString('latin1'),
}));
process.stdout.write(`${JSON.stringify(told)}\n`);
process.exit(0);
