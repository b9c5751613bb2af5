import { setTimeout as sleep } from 'node:timers/promises';
import { CARD_QUERY } from '../../../src/runes/web/ipxe-card.ts';
import { foreignServer, type MachineRecord, type Station, stranger, switchOn, until } from './lab.ts';
import { answersTo, codeOf, get, image, makeImage, PORT, play, STRANGERS, statusOf } from './scene.ts';

/** Two clusters of different images on one wire. No multicast gets through it. */
const other = makeImage('other');
const roles =
  'role room-b\n  plugins basic\n  machines mac:52:54:00:bb:*\n\nrole node\n  plugins basic\n  machines any\n';
const cable = (mac: string) => ({ mac, noMulticast: true });
const A1: MachineRecord = { name: 'a1', image, cable: cable('52:54:00:0a:00:01') };
const A2: MachineRecord = { name: 'a2', image, cable: cable('52:54:00:0a:00:02') };
const B1: MachineRecord = { name: 'b1', image: other, imageName: 'other', roles, cable: cable('52:54:00:0b:00:01') };
const B2: MachineRecord = { name: 'b2', image: other, imageName: 'other', roles, cable: cable('52:54:00:0b:00:02') };

/** The address that a machine serves and is asked by: the last it got. */
const addressOf = (station: Station) => station.addresses().at(-1) ?? '?';

function modeOf(client: Station, station: Station): string {
  try {
    return statusOf(client, addressOf(station)).dhcp.mode;
  } catch {
    return 'silent';
  }
}

/** Somebody who asks all the time, whatever happens; gives what it has heard when the wire is quiet again. */
async function watcher(...clients: string[]): Promise<{ readonly heard: () => Promise<Record<string, string[]>> }> {
  const station = await stranger(`watcher${clients.length}`);
  let isEnding = false;
  const heard: Record<string, string[]> = {};
  const watching = (async () => {
    while (!isEnding)
      for (const [client, kinds] of Object.entries(await answersTo(station, ...clients)))
        heard[client] = [...new Set([...(heard[client] ?? []), ...kinds])];
  })();
  return {
    async heard() {
      isEnding = true;
      await watching;
      return heard;
    },
  };
}

/** A client with an address on the wire, whoever gives the others. */
async function client(address = '10.86.200.1/16'): Promise<Station> {
  const station = await stranger('client');
  station.run(`ip address add ${address} dev eth0`);
  return station;
}

const serving = (from: Station, stations: readonly Station[]) =>
  stations.filter((station) => ['full', 'proxy'].includes(modeOf(from, station))).map(({ name }) => name);

/** Machines that take over in the same moment find each other within this time. */
const STEADY_MS = 5000;

/** The one that serves, alone and for a while. */
async function settled(from: Station, stations: readonly Station[], seconds = 180): Promise<string> {
  let last: string | undefined;
  let since = 0;
  return await until(
    () => `one of them to serve: ${stations.map((one) => `${one.name} ${modeOf(from, one)}`)}`,
    () => {
      const [name, more] = serving(from, stations);
      const alone = more === undefined ? name : undefined;
      if (alone === undefined || alone !== last) since = performance.now();
      last = alone;
      return performance.now() - since >= STEADY_MS && alone;
    },
    seconds,
  );
}

/** What the menu of a server offers: its own image, and whose others. */
function menuOf(from: Station, server: Station, mac?: string): string[] {
  return menuAt(from, addressOf(server), mac);
}

function menuAt(from: Station, address: string, mac?: string): string[] {
  const query = mac === undefined ? '' : `?mac=${mac}`;
  const script = get(from, `http://${address}:${PORT}/boot/boot.ipxe${query}`);
  return script.split('\n').flatMap((line) => {
    const item = /^item .*\([v\d]\) (.*)$/.exec(line)?.[1];
    const prompt = /^prompt .*(VIVER .*): press/.exec(line)?.[1];
    return item ?? (prompt === undefined ? (/^chain .*boot\.ipxe.*/.exec(line)?.[0] ?? []) : `at once ${prompt}`);
  });
}

await play({
  async 'one serves, both are offered'() {
    const watched = await watcher(...STRANGERS);
    const a1 = await switchOn(A1);
    await a1.said(/dhcp: full/);
    const b1 = await switchOn(B1);
    const b2 = await switchOn(B2);
    await b1.said(/runes: ready/);
    await b2.said(/runes: ready/);
    const from = await client();
    const all = [a1, b1, b2];
    const first = await settled(from, all);
    await until('its menu to offer both', () => menuOf(from, a1, '52-54-00-cc-00-01').length === 3);
    const menu = menuOf(from, a1, '52-54-00-cc-00-01');
    const [, theirs] = / from ([\d.]+)$/m.exec(menu.join('\n')) ?? [];
    const found = {
      first,
      asks: menuOf(from, a1),
      menu: menu.map((line) => line.replace(/ from [\d.]+$/, ' from B')),
      sentOn:
        menuOf(from, a1, '52-54-00-bb-00-01')[0] ===
        `chain http://${theirs}:${PORT}/boot/boot.ipxe?mac=52-54-00-bb-00-01&${CARD_QUERY} ||`,
      owned: menuAt(from, theirs ?? '?', '52-54-00-bb-00-01')[0],
      kernel: codeOf(from, `http://${theirs}:${PORT}/boot/vmlinuz`, '-L'),
      why: statusOf(from, addressOf(b1)).dhcp.why,
    };
    await a1.switchOff();
    await settled(from, [b1, b2]);
    const bios = await answersTo(from, '0');
    // It comes again, and finds another one serving.
    const again = await switchOn({ ...A1, name: 'again' });
    await again.said(/runes: ready/);
    // Both may have taken over in the same moment, and one of them stepped back since.
    const second = await until('both to be offered again', () => {
      const [server, more] = [b1, b2].filter(({ name }) => serving(from, [b1, b2]).includes(name));
      if (server === undefined || more !== undefined) return false;
      return menuOf(from, server, '52-54-00-cc-00-01').length === 3 && server.name;
    });
    return {
      ...found,
      second,
      bios,
      third: await settled(from, [b1, b2, again]),
      heard: await watched.heard(),
    };
  },

  async 'all at once'() {
    const watched = await watcher(...STRANGERS);
    const firmware = await watcher('0');
    const all = await Promise.all([A1, A2, B1, B2].map((record) => switchOn(record)));
    for (const one of all) await one.said(/runes: ready/);
    const from = await client();
    const first = await settled(from, all);
    const server = all.find(({ name }) => name === first) ?? all[0];
    if (server === undefined) throw new Error('nobody');
    await until('its menu to offer both', () => menuOf(from, server, '52-54-00-cc-00-01').length === 3);
    const rest = all.filter((one) => one !== server);
    // One field for each image, though multicast does not get through.
    const peers = all.map((one) => {
      const text = get(from, `http://${addressOf(one)}:${PORT}/status.json`).replace(/\n\d+$/, '');
      return (JSON.parse(text) as { field: { peers: unknown[] } }).field.peers.length;
    });
    await server.switchOff();
    const second = await settled(from, rest);
    return { peers, changed: first !== second, heard: await watched.heard(), firmware: await firmware.heard() };
  },

  async 'beside another server'() {
    const watched = await watcher(...STRANGERS, 'not:10.71.0.1');
    await foreignServer('10.71.0');
    const a1 = await switchOn(A1);
    const b1 = await switchOn(B1);
    for (const one of [a1, b1]) await one.said(/runes: ready/);
    const from = await client('10.71.0.200/24');
    const first = await settled(from, [a1, b1]);
    const [server, next] = first === 'a1' ? [a1, b1] : [b1, a1];
    await until('its menu to offer both', () => menuOf(from, server, '52-54-00-cc-00-01').length === 3);
    await sleep(20_000);
    const still = serving(from, [a1, b1]);
    const bios = await answersTo(from, '0', 'not:10.71.0.1');
    await server.switchOff();
    await settled(from, [next]);
    return { mode: modeOf(from, next), still: still.length, bios, heard: await watched.heard() };
  },
});
