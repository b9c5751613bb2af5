/**
 * Asks on eth0 whatever a DHCP client may ask, as each of the clients named on the command line, and prints as JSON which
 * kinds of answers each heard; `not:ADDRESS` leaves out those of one server. Run in a station's namespaces.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Rtnetlink } from '../../../src/linux/netlink/rtnetlink.ts';
import { PacketSocket } from '../../../src/linux/socket/packet-socket.ts';
import { encodeDiscover } from '../../../src/net/dhcp-message.ts';

const text = (value: string) => [...Buffer.from(value)];
const option = (code: number, value: readonly number[]) => [code, value.length, ...value];
const firmware = (kind: string, architecture: number) => [
  ...option(60, text(`${kind}:Arch:${String(architecture).padStart(5, '0')}:UNDI:003016`)),
  ...option(93, [0, architecture]),
  ...option(94, [1, 3, 16]),
  ...option(97, [0, ...Buffer.alloc(16, 7)]),
];

/** What clients say of themselves; a number is a firmware's architecture, `httpN` that of one that boots by HTTP. */
function says(client: string): readonly number[] {
  const known: Readonly<Record<string, readonly number[]>> = {
    bare: [],
    windows: [...option(60, text('MSFT 5.0')), ...option(12, text('office-pc'))],
    dhclient: option(12, text('office-pc')),
    udhcpc: option(60, text('udhcp 1.35.0')),
    android: option(60, text('android-dhcp-14')),
    viver: option(60, text('viver')),
    ipxe: [...firmware('PXEClient', 0), ...option(77, text('iPXE')), ...option(175, [0xb1, 1, 1])],
  };
  if (client.startsWith('http')) return firmware('HTTPClient', Number(client.slice(4)));
  return known[client] ?? firmware('PXEClient', Number(client));
}

const MESSAGE_TYPE = 20 + 8 + 240 + 2;
const SECONDS = 20 + 8 + 8;
const CLIENT_ADDRESS = 20 + 8 + 12;

/** Every question of RFC 2131, table 5, and one of BOOTP, which has no message type. */
function questions(xid: number, mac: string, client: string): Uint8Array[] {
  const of = (type: number, extra: readonly number[] = []): Buffer => {
    const packet = Buffer.from(encodeDiscover(xid, mac, [1, 3, 6], [...says(client), ...extra]));
    packet[MESSAGE_TYPE] = type;
    packet.writeUInt16BE(30, SECONDS); // it has asked for long
    return packet;
  };
  const [discover, request, inform] = [1, 3, 8];
  const renewing = of(request);
  Buffer.from([192, 168, 5, 5]).copy(renewing, CLIENT_ADDRESS);
  const informing = of(inform);
  Buffer.from([192, 168, 5, 5]).copy(informing, CLIENT_ADDRESS);
  return [
    of(discover),
    of(request, option(50, [192, 168, 5, 5])), // as it had it before it was restarted
    of(request, [...option(50, [192, 168, 5, 5]), ...option(54, [192, 168, 5, 1])]),
    renewing,
    informing,
  ];
}

using network = new Rtnetlink();
const link = (await network.links()).find(({ name }) => name === 'eth0');
if (link === undefined) throw new Error('no eth0');
using socket = new PacketSocket(link.index);

const NAMES: Readonly<Record<number, string>> = { 2: 'OFFER', 5: 'ACK', 6: 'NAK' };
const words = process.argv.slice(2);
const clients = words.filter((word) => !word.startsWith('not:'));
const ignored = words.flatMap((word) => (word.startsWith('not:') ? [word.slice(4)] : []));
const SOURCE = 12;
/** Several ask at once, and answers are for everybody to hear. */
const firstXid = randomInt(1, 2 ** 31);
const heard = new Map(clients.map((client) => [client, new Set<string>()]));
const HEADERS = 28;
const LISTEN_MS = 5000;

clients.forEach((client, i) => {
  const mac = client.startsWith('pi') ? `b8:27:eb:00:00:${10 + i}` : `52:54:00:aa:00:${10 + i}`;
  for (const packet of questions(firstXid + i, mac, client.replace(/^pi/, ''))) socket.broadcast(packet);
});
for (const endMs = performance.now() + LISTEN_MS; performance.now() < endMs; await sleep(20)) {
  for (let packet = socket.receive(); packet !== undefined; packet = socket.receive()) {
    const bytes = Buffer.from(packet);
    if (bytes.length < HEADERS + 243 || bytes[9] !== 17 || bytes.readUInt16BE(20) !== 67) continue;
    const client = clients[bytes.readUInt32BE(HEADERS + 4) - firstXid];
    if (client === undefined || bytes[HEADERS] !== 2) continue;
    if (ignored.includes(bytes.subarray(SOURCE, SOURCE + 4).join('.'))) continue;
    // dnsmasq puts the message type first.
    const file = bytes.toString('latin1', HEADERS + 108, HEADERS + 236).replace(/\0.*$/s, '');
    heard.get(client)?.add(`${NAMES[bytes[HEADERS + 242] ?? 0] ?? 'BOOTP'}${file === '' ? '' : ` ${file}`}`);
  }
}
process.stdout.write(
  `${JSON.stringify(Object.fromEntries([...heard].map(([client, kinds]) => [client, [...kinds].sort()])))}\n`,
);
process.exit(0);
