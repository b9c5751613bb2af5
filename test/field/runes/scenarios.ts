import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
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

  async 'the one that serves is switched off'() {
    const one = await switchOn({ name: 'one', image });
    await one.said(/dhcp: full/);
    const two = await switchOn({ name: 'two', image });
    const three = await switchOn({ name: 'three', image });
    const [first] = one.addresses();
    await two.said(/runes: ready/);
    await three.said(/runes: ready/);
    const client = await stranger('client');
    await askForAddress(client, '-V viver');
    const addresses = [...two.addresses(), ...three.addresses()];
    await until('both to know each other', () =>
      addresses.every((address) => {
        const { output } = client.run(`curl -sS -m 5 http://${address}:${PORT}/machines.json`);
        return output.startsWith('{') && (JSON.parse(output) as { machines: unknown[] }).machines.length === 3;
      }),
    );
    const modes = () => addresses.map((address) => statusOf(client, address).dhcp.mode);
    const before = modes();
    const table = two.run(
      `${process.execPath} ${join(import.meta.dirname, '../../../src/init/main.ts')} status`,
    ).output;
    await one.switchOff();
    const startMs = performance.now();
    await until('another to serve', () => modes().includes('full'), 30);
    const seconds = (performance.now() - startMs) / 1000;
    // The new server knows the lease that the dead one gave to the machine that goes on, and refuses no renewal.
    const survivors = [two, three];
    const next = modes().indexOf('full');
    const other = survivors[1 - next]?.addresses()[0] ?? '?';
    const leases = survivors[next]?.run('cat /run/viver/dnsmasq.leases').output ?? '';
    const renewed = survivors[1 - next]?.run(
      'printf "#!/bin/sh\\n[ \\$1 = bound ] && echo given \\$ip\\nexit 0\\n" > /run/say; chmod 755 /run/say; ' +
        `busybox udhcpc -f -n -q -t 4 -T 1 -i eth0 -V viver -r ${other} -s /run/say`,
    ).output;
    const late = await stranger('late');
    const lease = await askForAddress(late, '-x 93:0000');
    return {
      table,
      first,
      before,
      after: modes().sort(),
      seconds,
      known: leases.includes(` ${other} `),
      same: renewed?.includes(`given ${other}`),
      lease: lease.boot_file ?? lease.bootfile,
    };
  },

  async 'roles of machines that boot'() {
    const hash = execFileSync(
      process.execPath,
      [join(import.meta.dirname, '../../../src/init/main.ts'), 'role', 'password'],
      {
        encoding: 'utf8',
        input: 'sesame\n',
      },
    ).trim();
    const roles = `role server
  plugins basic
  machines booted:medium
  status-password ${hash}
role strangers
  boot no
  machines mac:aa:*
role named
  plugins basic
  machines host:pc-00000?
  words viver.cow=ram quiet
  keymap de
  menu-password ${hash}
role other
  plugins basic
  image nowhere
  machines any
`;
    const one = await switchOn({ name: 'one', image, roles });
    const address = await until('an address', () => one.addresses()[0]);
    await one.said(/dhcp: full/);
    const client = await stranger('client');
    client.run('ip address add 10.86.200.1/16 dev eth0');
    const base = `http://${address}:${PORT}`;
    const of = (mac: string) => get(client, `${base}/boot/boot.ipxe?mac=${mac}`);
    await until('the field', () => of('52-54-00-00-00-01').includes('kernel'));
    const menu = `${base}/boot/menu.ipxe?mac=52-54-00-00-00-01`;
    return {
      asked: get(client, `${base}/boot/boot.ipxe`),
      named: of('52-54-00-00-00-01'),
      stranger: of('aa-00-00-00-00-01'),
      other: of('bb-00-00-11-11-11'),
      menu: [codeOf(client, menu), codeOf(client, menu, '-u x:wrong'), codeOf(client, menu, '-u x:sesame')],
      status: [
        codeOf(client, `${base}/`),
        codeOf(client, `${base}/`, '-u x:sesame'),
        codeOf(one, `${base}/machines.json`),
      ],
      lines: [await one.said(/ is sent away: its role is strangers/), await one.said(/: no image nowhere is here/)],
    };
  },

  async 'secrets of a machine that serves'() {
    const key = `the-secret-of-the-field-${randomBytes(16).toString('hex')}`;
    const hash = `scrypt:${'s'.repeat(22)}:${'h'.repeat(43)}`;
    const roles = `role server\n plugins basic\n machines booted:medium\nrole class\n plugins basic\n machines any\n menu-password ${hash}\n`;
    const one = await switchOn({ name: 'one', image, key, roles });
    const address = await until('an address', () => one.addresses()[0]);
    await one.said(/dhcp: full/);
    const client = await stranger('client');
    client.run('ip address add 10.86.200.1/16 dev eth0');
    const base = `http://${address}:${PORT}`;
    await until('the field', () => get(client, `${base}/status.json`).includes('"chunks":'));
    const keyed = get(client, `${base}/boot/boot.ipxe`);
    const paths = ['/', '/status.json', '/status.json?brief', '/status.json?row', '/machines.json'];
    const boot = [
      'boot.ipxe',
      'boot.ipxe?menu',
      'boot.ipxe?mac=52-54-00-00-00-01',
      'menu.ipxe?mac=52-54-00-00-00-01',
      'disk.ipxe',
    ];
    const files = ['vmlinuz', 'viverrd.zst', 'memtest.bin', 'memtest.efi', 'undionly.kpxe', 'snponly.efi'];
    const escapes = ['/etc/viver/field.key', '/boot/field.key', '/boot/../etc/viver/field.key', '/boot/field-key.cpio'];
    const loaders = execFileSync('find', ['-L', '/usr/lib/ipxe', '-maxdepth', '1', '-type', 'f', '-printf', '%f\\n'], {
      encoding: 'utf8',
    })
      .trim()
      .split('\n');
    const tftp = [
      ...loaders,
      '/etc/viver/field.key',
      '/run/initramfs/etc/viver/field.key',
      '../../../etc/viver/field.key',
    ];
    const leaks = (what: string, fetched: string) => {
      const found = client.run(
        `cd ${work} && rm -f served; { ${fetched}; } 2> /dev/null; wc -c < served; grep -acE '${key}|${hash}|scrypt' served`,
      );
      const [size = '', count = ''] = found.output.trim().split('\n').slice(-2);
      return { what, size: Number(size), count: Number(count) };
    };
    const http = [...paths, ...[...boot, ...files].map((name) => `/boot/${name}`), ...escapes].map((path) =>
      leaks(path, `curl -sS -m 20 --path-as-is -o served '${base}${path}' || : > served`),
    );
    const byTftp = tftp.map((name) => leaks(name, `busybox tftp -g -r '${name}' -l served ${address} || : > served`));
    return {
      hasKey: one.run('cat /run/initramfs/etc/viver/field.key').output === key,
      keyed,
      leaks: [...http, ...byTftp].filter(({ count }) => count !== 0),
      empty: http.filter(({ size }) => size === 0).map(({ what }) => what),
      loaders: byTftp.filter(({ size }) => size > 0).length === loaders.length,
    };
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

  async 'boot files come from more than one'() {
    const stations = [await switchOn({ name: 'one', image })];
    await stations[0]?.said(/dhcp: full/);
    stations.push(await switchOn({ name: 'two', image }));
    await stations[1]?.said(/runes: ready/);
    const client = await stranger('client');
    await askForAddress(client, '-V viver');
    const [address = ''] = stations[0]?.addresses() ?? [];
    const url = `http://${address}:${PORT}/boot/vmlinuz`;
    await until('the other to help', () => codeOf(client, url) === '302');
    const together = Array.from({ length: 4 }, () =>
      client.runAside(`curl -sS -L --limit-rate 1M -m 30 -o /dev/null -w '%{url_effective} %{size_download}' ${url}`),
    );
    const seen = new Set((await Promise.all(together)).map(({ output }) => output));
    return { servers: seen.size, whole: [...seen].every((text) => text.endsWith(` ${2 << 20}`)) };
  },

  async 'a plugin of its own'() {
    const text = `
      interface Told { readonly why: string }
      export default definePlugin({
        name: 'own',
        summary: 'tells what it was told',
        requires: ['dhcp', 'address'],
        async start(context) {
          const { address } = await context.ask('address').network();
          const told: Told = await context.ask('dhcp').mode();
          context.log(\`I am \${context.machine.hostname} at \${address}: \${told.why.length > 0}\`);
          return {};
        },
      });
    `;
    const one = await switchOn({ name: 'one', image, plugins: { 'own.ts': text, 'broken.ts': 'export default 5' } });
    return { said: await one.said(/own: I am/), broken: await one.said(/broken/) };
  },
};

await play(SCENARIOS);
