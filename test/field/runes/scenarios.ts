import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askForAddress, foreignServer, stranger, switchOn, until } from './lab.ts';
import { answersTo, codeOf, get, image, PORT, play, STRANGERS, statusOf, work } from './scene.ts';

const SCENARIOS: Record<string, () => Promise<unknown>> = {
  async 'an empty network'() {
    const one = await switchOn({ name: 'one', image });
    const address = await until('an address', () => one.addresses()[0]);
    await one.said(/dhcp: full/);
    const client = await stranger('client');
    const bios = await askForAddress(client, '-x 93:0000', '-V PXEClient:Arch:00000:UNDI:002001');
    const efi = await askForAddress(client, '-x 93:0007', '-V PXEClient:Arch:00007:UNDI:003016');
    const ipxe = await askForAddress(client, '-x 0xaf:00');
    const base = `http://${address}:${PORT}`;
    const file = (path: string) =>
      client.run(`cd ${work}; rm -f got; busybox tftp -g -r '${path}' -l got ${address}; sha256sum got`);
    const [sum] = execFileSync('sha256sum', ['/usr/lib/ipxe/undionly.kpxe'], { encoding: 'utf8' }).split(' ');
    return {
      address,
      bios: [bios.boot_file ?? bios.bootfile, bios.siaddr === address],
      efi: [efi.boot_file ?? efi.bootfile],
      ipxe: ipxe.boot_file ?? ipxe.bootfile,
      inRange: bios.ip,
      mark: bios.opt224,
      tftp: file('undionly.kpxe').output.includes(sum ?? '?'),
      tftpEscapes: ['../../../../etc/passwd', '/etc/passwd', '/run/initramfs/../../etc/passwd'].map(
        (path) => file(path).output.includes('root:') || file(path).status === 0,
      ),
      script: get(client, `${base}/boot/boot.ipxe`).split('\n')[0],
      kernel: codeOf(client, `${base}/boot/vmlinuz`),
      httpEscapes: [
        '/boot/../../etc/passwd',
        '/boot/%2e%2e/%2e%2e/etc/passwd',
        '//etc/passwd',
        '/boot/..%2fetc/passwd',
        '/etc/passwd',
        '/boot/',
      ].map((path) => codeOf(client, `${base}${path}`)),
      method: codeOf(client, `${base}/boot/vmlinuz`, '-X', 'POST', '-d', 'x'),
      refused: statusOf(client, address).refused,
      ready: statusOf(client, address).plugins.every(({ state }) => state === 'running'),
    };
  },

  async "a stranger's packets"() {
    const one = await switchOn({ name: 'one', image });
    const address = await until('an address', () => one.addresses()[0]);
    await one.said(/dhcp: full/);
    const client = await stranger('client');
    client.run('ip address add 10.86.200.1/16 dev eth0');
    const program = join(import.meta.dirname, 'hostile.ts');
    const sent = await client.runAside(`${process.execPath} ${program} ${address}`);
    const lease = await askForAddress(client, '-x 93:0000');
    // An interface nobody boots by: nothing answers there.
    one.run('ip link add other type veth peer name far; ip address add 192.0.2.1/24 dev other; ip link set other up');
    return {
      sent: JSON.parse(sent.output) as unknown,
      lease: lease.boot_file ?? lease.bootfile,
      kernel: codeOf(client, `http://${address}:${PORT}/boot/vmlinuz`),
      refused: statusOf(client, address).refused,
      elsewhere: one.run(`curl -sS -m 3 http://192.0.2.1:${PORT}/status.json`).status,
    };
  },

  async 'a stranger at the web server'() {
    const one = await switchOn({ name: 'one', image });
    const address = await until('an address', () => one.addresses()[0]);
    await one.said(/dhcp: full/);
    const client = await stranger('client');
    client.run('ip address add 10.86.200.1/16 dev eth0; ip address add 10.86.200.2/16 dev eth0');
    // Process 1 of its namespace: `viver runes`.
    const memoryMb = () => Number(/VmRSS:\s*(\d+)/.exec(one.run('cat /proc/1/status').output)?.[1] ?? 0) / 1024;
    const before = { mb: memoryMb(), lines: one.lines.length };
    const program = join(import.meta.dirname, 'hostile-web.ts');
    const done = await client.runAside(`${process.execPath} ${program} ${address}`);
    const most = Number(/VmHWM:\s*(\d+)/.exec(one.run('cat /proc/1/status').output)?.[1] ?? 0) / 1024;
    await until('all transfers to end', () => statusOf(client, address).load.transfers === 0, 20);
    return {
      done: JSON.parse(done.output) as unknown,
      grewMb: most - before.mb,
      said: one.lines.slice(before.lines),
      down: statusOf(client, address).plugins.filter(({ state }) => state !== 'running'),
    };
  },

  async 'beside another server'() {
    const foreign = await foreignServer('10.71.0');
    const one = await switchOn({ name: 'one', image });
    await one.said(/dhcp: proxy/);
    const address = one.addresses();
    const client = await stranger('client');
    const lease = await askForAddress(client);
    const program = join(import.meta.dirname, 'pxe-discover.ts');
    const heard = await client.runAside(`${process.execPath} ${program}`);
    if (heard.status !== 0) throw new Error(heard.output);
    const offers = JSON.parse(heard.output) as unknown;
    const acknowledged = foreign.lines.filter((line) => /DHCPACK/.test(line)).length;
    await foreign.switchOff();
    return {
      address,
      lease: [lease.ip, lease.serverid, lease.boot_file ?? lease.bootfile],
      offers,
      acknowledged,
      mode: statusOf(client, address[0] ?? '').dhcp.mode,
    };
  },

  async 'strangers on an empty network'() {
    const startMs = performance.now();
    const one = await switchOn({ name: 'one', image });
    const client = await stranger('client');
    const atFirst = await answersTo(client, ...STRANGERS);
    await one.said(/dhcp: full/);
    const seconds = (performance.now() - startMs) / 1000;
    const alone = await answersTo(client, ...STRANGERS);
    const served = await answersTo(
      client,
      'viver',
      'ipxe',
      '0',
      '7',
      '9',
      'http16',
      '6',
      '10',
      '11',
      '41',
      'pi0',
      'http15',
      'http19',
    );
    const said = one.lines.filter((line) => /no boot loader/.test(line));
    // It has an address of ours by itself, and its own network manager asks for one.
    const two = await switchOn({ name: 'two', image });
    await two.said(/runes: ready/);
    const standby = await answersTo(client, ...STRANGERS);
    const foreign = await foreignServer('10.72.0');
    // The other machine has an address that clients of that server cannot reach: it is not the one that goes on.
    await one.said(/dhcp: proxy/, 90);
    await foreign.switchOff();
    const proxy = await answersTo(client, ...STRANGERS);
    const proxied = await answersTo(client, 'viver', 'ipxe', '0', '7', '11', 'pi0', 'http16', 'http19');
    return { seconds, atFirst, alone, served, said, standby, proxy, proxied };
  },

  async 'an uplink and a class-room'() {
    // Somebody's network is on the wire `wire`, and the class-room's is another one that only the machine is on.
    await foreignServer('10.71.0');
    const one = await switchOn({ name: 'one', image, cable: { second: 'room' } });
    await one.said(/dhcp: full/);
    const office = await stranger('office');
    const inOffice = await answersTo(office, '0', 'windows', 'not:10.71.0.1');
    const uplink = one.addresses('eth0');
    const room = one.addresses('eth1');
    await one.switchOff();
    const told = await switchOn({ name: 'two', image, words: 'viver.serve=eth0', cable: { second: 'room2' } });
    await told.said(/dhcp: proxy/);
    return { uplink, room, inOffice, told: told.addresses('eth1'), toldUplink: told.addresses('eth0') };
  },

  async 'a relay'() {
    const one = await switchOn({ name: 'one', image, words: 'viver.ip=10.80.0.2/24,10.80.0.1' });
    await one.said(/dhcp: full/);
    const relay = await stranger('relay');
    const setUp = [
      'mount -t tmpfs none /run; ip address add 10.80.0.1/24 dev eth0; echo 1 > /proc/sys/net/ipv4/ip_forward',
      'ip netns add room; ip link add port type veth peer name eth0 netns room',
      'ip address add 10.51.0.1/24 dev port; ip link set port up; ip netns exec room ip link set eth0 up',
      'dnsmasq --conf-file=/dev/null --port=0 --user=root --pid-file= --dhcp-relay=10.51.0.1,10.80.0.2 --log-facility=/dev/null',
    ];
    const { output, status } = relay.run(`set -e; ${setUp.join('; ')}`);
    if (status !== 0) throw new Error(output);
    const ask = async () => {
      const program = join(import.meta.dirname, 'dhcp-question.ts');
      const clients = ['0', '7', 'http16', 'ipxe', '11', ...STRANGERS].join(' ');
      const said = await relay.runAside(`ip netns exec room ${process.execPath} ${program} ${clients}`);
      if (said.status !== 0) throw new Error(said.output);
      return JSON.parse(said.output) as Record<string, string[]>;
    };
    const first = await ask();
    await one.said(/10\.51\.0\.1 hands on questions/);
    const second = (await until('an answer', () => one.lines.length > 0)) && (await ask());
    const client = await stranger('client');
    return { first, second, here: await answersTo(client, '0', ...STRANGERS) };
  },

  async 'a wire of its own'() {
    const one = await switchOn({ name: 'one', image, words: 'viver.serve=all' });
    await one.said(/dhcp: full/);
    const client = await stranger('client');
    return await answersTo(client, 'windows', '11');
  },

  async 'a set address beside a gateway'() {
    const one = await switchOn({ name: 'one', image, words: 'viver.ip=10.80.0.2/29,10.80.0.1' });
    await one.said(/dhcp: full/);
    // The gateway is switched off just now: nothing at its address answers.
    const clients = await Promise.all([1, 2, 3, 4, 5].map((number) => stranger(`client${number}`)));
    const given: (string | undefined)[] = [];
    for (const client of clients) given.push((await askForAddress(client, '-V PXEClient:Arch:00000')).ip);
    return given.map((address) => address ?? 'none').sort();
  },

  async 'nobody is to be served'() {
    const one = await switchOn({ name: 'one', image, words: 'viver.serve=none' });
    await one.said(/no boot server: viver.serve=none/);
    const elsewhere = await switchOn({ name: 'two', image, words: 'viver.serve=eth7' });
    await elsewhere.said(/no boot server: viver.serve=eth7/);
    const client = await stranger('client');
    return await answersTo(client, '0', 'viver', 'windows');
  },

  async 'another server appears'() {
    const one = await switchOn({ name: 'one', image });
    await one.said(/dhcp: full/);
    const before = one.addresses();
    await foreignServer('10.72.0');
    await one.said(/dhcp: proxy/, 90);
    return { before, after: one.addresses() };
  },

  async 'another server gives machines like this one no address'() {
    const one = await switchOn({ name: 'one', image });
    await one.said(/dhcp: full/);
    await foreignServer('10.72.0', '--dhcp-vendorclass=set:firmware,PXEClient --dhcp-ignore=tag:!firmware');
    await one.said(/10\.72\.0\.1 has appeared, but gives this machine no address/);
    await one.said(/dhcp: standby: another DHCP server gives the addresses here/);
    // longer than from one look for other servers to the next
    await sleep(12_000);
    return { anew: one.lines.filter((line) => line.includes('started anew')), addresses: one.addresses() };
  },

  async 'two find an empty network at once'() {
    const stations = await Promise.all([switchOn({ name: 'one', image }), switchOn({ name: 'two', image })]);
    for (const station of stations) await station.said(/runes: ready/);
    const client = await stranger('client');
    client.run('ip address add 10.86.200.1/16 dev eth0');
    const addresses = await until('addresses', () => {
      const found = stations.map((station) => station.addresses()[0]);
      return found.every((address) => address !== undefined) ? (found as string[]) : undefined;
    });
    const modes = () => addresses.map((address) => statusOf(client, address).dhcp.mode);
    await until('one of them to serve', () => modes().sort().join() === 'full,standby', 60);
    const lease = await askForAddress(client, '-x 93:0000');
    return { different: addresses[0] !== addresses[1], lease: lease.boot_file ?? lease.bootfile };
  },
};

await play(SCENARIOS);
