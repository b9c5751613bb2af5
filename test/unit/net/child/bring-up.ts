import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { mount, moveMount } from '../../../../src/linux/mount.ts';
import { parseIpSetting } from '../../../../src/net/address-plan.ts';
import { type BringUpOptions, bringUp } from '../../../../src/net/bring-up.ts';
import { readLeaseFacts } from '../../../../src/net/lease-facts.ts';
import { reverseName } from '../../../../src/net/reverse-name.ts';
import { addCard, addressesOf, clients, commandLine, ip, isUp, plugIn, until } from './wire.ts';

const directory = '/run/viver';
mount({ source: 'none', target: '/run', type: 'tmpfs' });
mkdirSync(directory);
const options = {
  ip: 'dhcp',
  hook: join(import.meta.dirname, '../../../../initrd/bin/dhcp-hook'),
  directory,
  signal: AbortSignal.timeout(20_000),
} satisfies BringUpOptions;
const cards = (...names: string[]) => Promise.all(names.map(addCard));
const mtuOf = (card: string) => / mtu (\d+) /.exec(ip('link', 'show', card))?.[1];
const messageOf = (error: Error) => error.message;

const SCENARIOS: Record<string, () => Promise<unknown>> = {
  async 'three cards'() {
    const [a, b] = await cards('a0', 'b0', 'c0');
    if (a === undefined || b === undefined) throw new Error('no cards');
    plugIn(b);
    await a.serve(
      '10.71.0',
      '--dhcp-option=3,10.71.0.1',
      '--dhcp-option=6,10.71.0.1,10.71.0.2',
      '--domain=viver.test',
      '--dhcp-option-force=224,hello',
      '--dhcp-option-force=26,1400',
      '--dhcp-option-force=12,desk7',
      '--dhcp-option-force=42,10.71.0.1',
    );
    const { link, plan, lease, clientPid = -1, reason } = await bringUp({ ...options, hostname: 'machine7' });
    await until('the other clients to end', () => clients().length === 1);
    const words = commandLine(clientPid);
    return {
      link: link.name,
      plan,
      reason,
      option: lease?.options.opt224,
      kernelHas: addressesOf('a0'),
      routes: ip('-4', 'route'),
      mtu: mtuOf('a0'),
      up: ['a0', 'b0', 'c0'].filter(isUp),
      client: words[0],
      hostnameSent: words.includes('hostname:machine7'),
      asking: clients().map(({ card }) => card),
      written: readFileSync(join(directory, 'address-a0'), 'utf8'),
      facts: readLeaseFacts(directory),
      probing: readFileSync('/proc/sys/net/ipv4/tcp_mtu_probing', 'utf8').trim(),
    };
  },

  /** A quick office, a management controller that is quicker still, and a class-room behind a slow port. */
  async 'booted by the slow one'() {
    const [office, controller, room] = await cards('a0', 'b0', 'c0');
    if (office === undefined || controller === undefined || room === undefined) throw new Error('no cards');
    ip('link', 'set', 'c0', 'address', '02:00:00:00:00:0c');
    await controller.serve('169.254.3');
    await office.serve('10.77.0');
    const up = bringUp({ ...options, bootMac: '02:00:00:00:00:0c', signal: AbortSignal.timeout(50_000) });
    plugIn(room);
    await setTimeout(3000);
    await room.serve('10.78.0');
    const { link, plan, reason } = await up;
    return { link: link.name, address: plan.address, reason, office: addressesOf('a0'), controller: addressesOf('b0') };
  },

  /** The card that it was booted by has no link any more, and later not even its time is waited for. */
  async 'booted by one without a link'() {
    const [office, controller] = await cards('a0', 'b0', 'c0');
    if (office === undefined || controller === undefined) throw new Error('no cards');
    ip('link', 'set', 'c0', 'address', '02:00:00:00:00:0c');
    await controller.serve('169.254.3');
    await office.serve('10.77.0');
    const startMs = performance.now();
    const bootMac = '02:00:00:00:00:0c';
    const { link, reason } = await bringUp({ ...options, bootMac, signal: AbortSignal.timeout(60_000) });
    const seconds = (performance.now() - startMs) / 1000;
    for (const { pid } of clients()) process.kill(pid);
    const stop = new AbortController();
    const onProgress = (line: string) => /is waited for/.test(line) && stop.abort();
    const ended = await bringUp({ ...options, bootMac, signal: stop.signal, onProgress });
    return { link: link.name, reason, seconds, ended: ended.link.name };
  },

  async 'another address later'() {
    const [a] = await cards('a0');
    if (a === undefined) throw new Error('no card');
    const first = await a.serve('10.72.0', '--dhcp-option=3,10.72.0.1');
    const { clientPid = -1 } = await bringUp(options);
    const before = addressesOf('a0');
    // As the switch to the root does: what the client was started in is moved to another place.
    mount({ source: 'none', target: '/mnt', type: 'tmpfs' });
    mkdirSync('/mnt/run');
    moveMount('/run', '/mnt/run');
    process.kill(clientPid, 'SIGUSR1');
    await setTimeout(500);
    const renewed = addressesOf('a0');
    first.kill();
    a.run('ip address flush dev far');
    await a.serve('10.73.0', '--dhcp-option=3,10.73.0.1', '--dhcp-option-force=26,1300');
    process.kill(clientPid, 'SIGUSR1');
    await until('the new address', () => addressesOf('a0').some((address) => address.startsWith('10.73.0.')));
    await until('the old one to go', () => addressesOf('a0').length === 1);
    await until('the route', () => ip('-4', 'route').includes('default via 10.73.0.1'));
    await until('the note', () => readFileSync('/mnt/run/viver/address-a0', 'utf8') === `${addressesOf('a0')[0]}\n`);
    const after = addressesOf('a0');
    process.kill(clientPid, 'SIGUSR2');
    await setTimeout(300);
    return { before, renewed, after, released: addressesOf('a0'), mtu: mtuOf('a0') };
  },

  async 'late card'() {
    const up = bringUp(options);
    await setTimeout(100);
    const [a] = await cards('a0');
    await until('the card is set up', () => isUp('a0'));
    await a?.serve('10.73.0');
    const { link, plan } = await up;
    return { link: link.name, planned: `${plan.address}/${plan.prefixLength}`, kernelHas: addressesOf('a0') };
  },

  async 'no answer'() {
    const within = (ms: number) => ({ ...options, signal: AbortSignal.timeout(ms) });
    const nothing = await bringUp(within(200)).catch(messageOf);
    const [, b] = await cards('a0', 'b0');
    if (b === undefined) throw new Error('no card');
    plugIn(b);
    const unanswered = await bringUp(within(1000)).catch(messageOf);
    await until('the clients to end', () => clients().length === 0);
    const up = ['a0', 'b0'].filter(isUp);
    ip('link', 'set', 'b0', 'up');
    ip('-6', 'address', 'add', '2001:db8::7/64', 'dev', 'b0', 'nodad');
    const only6 = await bringUp(within(1000)).catch(messageOf);
    const broken = await bringUp({ ...within(500), directory: '/no/such' }).catch(messageOf);
    const aborted = await bringUp({ ...options, signal: AbortSignal.abort() }).catch(messageOf);
    return { nothing, unanswered, up, only6, broken, aborted };
  },

  async 'not waited for'() {
    const [a, b] = await cards('a0', 'b0');
    if (a === undefined || b === undefined) throw new Error('no cards');
    plugIn(b);
    const signal = AbortSignal.timeout(700);
    const message = await bringUp({ ...options, signal, leaveAsking: () => true }).catch(messageOf);
    const asking = clients().map(({ card }) => card);
    await b.serve('10.75.0');
    await until('an address', () => addressesOf('b0').length === 1);
    const setting = parseIpSetting('10.76.0.9/24');
    const early = AbortSignal.abort();
    const [c] = await cards('c0');
    const mac = '02:00:00:00:00:0d';
    ip('link', 'set', 'c0', 'address', mac);
    const unplugged = AbortSignal.timeout(300);
    await bringUp({ ...options, ip: setting, bootMac: mac, signal: unplugged, leaveAsking: () => true }).catch(
      messageOf,
    );
    await bringUp({ ...options, signal: early, leaveAsking: () => true }).catch(messageOf);
    return { message, asking: asking.sort(), later: addressesOf('b0'), own: c === undefined ? [] : addressesOf('c0') };
  },

  async 'named by DNS'() {
    const [a] = await cards('a0');
    if (a === undefined) throw new Error('no cards');
    ip('link', 'set', 'lo', 'up');
    ip('link', 'set', 'a0', 'address', '02:00:00:00:00:0a');
    await a.serve(
      '10.79.0',
      '--port=53',
      '--dhcp-host=02:00:00:00:00:0a,10.79.0.60',
      '--host-record=pc9.school.test,10.79.0.60',
      '--ptr-record=62.0.79.10.in-addr.arpa,pool.school.test',
    );
    const { plan, lease } = await bringUp(options);
    return {
      leased: lease?.hostname ?? 'nothing',
      named: await reverseName(plan.address, plan.dns),
      ofPool: (await reverseName('10.79.0.62', plan.dns)) ?? 'nothing',
      unnamed: (await reverseName('10.79.0.61', plan.dns)) ?? 'nothing',
      silent: (await reverseName(plan.address, ['127.0.0.1:5399'])) ?? 'nothing',
      noServer: (await reverseName(plan.address, [])) ?? 'nothing',
    };
  },

  async static() {
    const [, b, c] = await cards('a0', 'b0', 'c0');
    if (b === undefined || c === undefined) throw new Error('no cards');
    plugIn(b);
    const setting = parseIpSetting('10.74.0.9/24,10.74.0.1');
    const first = await bringUp({ ...options, ip: setting });
    const found = {
      first: { link: first.link.name, reason: first.reason, lease: first.lease, clientPid: first.clientPid },
      kernelHas: addressesOf('b0'),
      routes: ip('-4', 'route'),
      up: ['a0', 'b0', 'c0'].filter(isUp),
    };
    plugIn(c);
    ip('link', 'set', 'c0', 'address', '02:00:00:00:00:0c');
    const second = await bringUp({ ...options, ip: setting, bootMac: '02:00:00:00:00:0c' });
    return { ...found, second: { link: second.link.name, reason: second.reason } };
  },
};

const scenario = SCENARIOS[process.argv[2] ?? ''];
if (scenario === undefined) throw new Error('no such scenario');
process.once('exit', () => {
  for (const { pid } of clients()) process.kill(pid);
});
const result = await scenario();
process.stdout.write(JSON.stringify(result), () => process.exit());
