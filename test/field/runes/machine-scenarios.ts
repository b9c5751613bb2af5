import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askForAddress, foreignServer, stranger, switchOn, until } from './lab.ts';
import { codeOf, get, image, makeImage, PORT, play, statusOf, work } from './scene.ts';

/** For its kernel of 2 MiB; at that rate the initrd of 3 MiB takes 22 s longer than a first stage of no size. */
const SLOW_MS = 15_000;

const SCENARIOS: Record<string, () => Promise<unknown>> = {
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

  async 'a field of its own'() {
    const one = await switchOn({ name: 'one', image, hasProgram: true, ownField: true });
    await one.said(/ field: \S+\.caibx is not there: the index is made, /);
    await one.said(/dhcp: full/);
    const daemons = () => one.run("pgrep -af 'field up --image' | grep -v pgrep").output.trim().split('\n');
    const listening = () => daemons().map((line) => / --listen (\S+)/.exec(line)?.[1]);
    const early = listening();
    const node = () =>
      JSON.parse(one.run(`curl -sS -m 10 http://${one.addresses()[0]}:${PORT}/status.json`).output) as {
        field: { node: { address: string } } | null;
      };
    const at = node().field?.node.address;
    const [pid = ''] = daemons()[0]?.split(' ') ?? [];
    one.run(`kill -KILL ${pid}`);
    await one.said(/field failed: viver field up ended with SIGKILL/);
    await until('a field again', () => {
      const { status, output } = one.run(`curl -sS -m 10 http://${one.addresses()[0]}:${PORT}/status.json`);
      return status === 0 && (JSON.parse(output) as { field: unknown }).field !== null;
    });
    return { own: one.addresses()[0], early, at, after: listening() };
  },

  async 'two choose the same address at once'() {
    // `choosePrivate` gives both 10.86.2.60.
    const macs = ['52:54:00:00:00:10', '52:54:00:00:00:2b'];
    const machines = await Promise.all(macs.map((mac, i) => switchOn({ name: `m${i}`, image, cable: { mac } })));
    const [lower, higher] = machines;
    // On a busy host one of them may come so late that it finds the address taken.
    await higher?.said(/52:54:00:00:00:10 has chosen 10\.86\.2\.60 too|has 10\.86\.(?!2\.60\/)/);
    await until('it to have another address', () => {
      const [address] = higher?.addresses() ?? [];
      return address !== undefined && address !== '10.86.2.60';
    });
    return { lower: lower?.addresses(), higher: higher?.addresses().length };
  },

  async 'both cards are plugged into one switch'() {
    // Whichever card is the one that serves, in one of the two it has the higher MAC.
    const [low, high] = ['52:54:00:00:00:10', '52:54:00:00:00:2b'];
    const cables = [
      { mac: low, second: 'wire', secondMac: high },
      { mac: '52:54:00:00:01:2b', second: 'wire', secondMac: '52:54:00:00:01:10' },
    ];
    const machines = await Promise.all(cables.map((cable, i) => switchOn({ name: `m${i}`, image, cable })));
    for (const machine of machines) await machine.said(/ has 10\.86\.\d+\.\d+\/16, chosen/);
    // Each looks whether it is alone with its address, four seconds after it has it.
    await sleep(8000);
    return machines.map(({ lines }) => lines.filter((line) => /started anew|chosen .* too/.test(line)));
  },

  async 'somebody answers for every address'() {
    const forger = await stranger('forger');
    // A lower MAC than any machine's: whoever had the same address would give way.
    forger.run('ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:01; ip link set eth0 up');
    forger.run('ip address add 192.168.7.7/24 dev eth0; ip route add local 10.86.0.0/16 dev lo');
    const one = await switchOn({ name: 'one', image, cable: { mac: '52:54:00:00:00:2b' } });
    await one.said(/dhcp: full/);
    await sleep(8000);
    return {
      addresses: one.addresses().length,
      anew: one.lines.filter((line) => /started anew/.test(line)),
    };
  },

  async 'a card gets another name'() {
    const one = await switchOn({ name: 'one', image });
    await one.said(/dhcp: full/);
    const address = one.addresses()[0];
    one.run('ip link set eth0 name enp0s3');
    await one.said(/: eth0 is called enp0s3 now$/);
    const begun = one.lines.length;
    await until('it to serve again', () => one.lines.slice(begun).some((line) => /dhcp: full/.test(line)));
    const client = await stranger('client');
    const lease = await askForAddress(client, '-x 93:0000');
    return { isSame: one.addresses('enp0s3')[0] === address, lease: lease.boot_file ?? lease.bootfile };
  },

  async 'a card with a lease gets another name'() {
    await foreignServer('10.71.0');
    const one = await switchOn({ name: 'one', image });
    await one.said(/dhcp: proxy/);
    one.run('ip link set eth0 name enp0s3');
    await one.said(/: eth0 is called enp0s3 now$/);
    const begun = one.lines.length;
    await until('it to serve again', () => one.lines.slice(begun).some((line) => /dhcp: proxy/.test(line)));
    return {
      address: one.addresses('enp0s3'),
      renews: one.run('pgrep -af udhcpc').output.includes(' -i enp0s3 '),
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
      tagged: of('52-54-00-00-00-01&card=net0-7&ip=10.86.200.1'),
      untagged: of('52-54-00-00-00-01&card=net0&ip=10.86.200.1'),
      elsewhere: of('52-54-00-00-00-01&card=net0-7&ip='),
      noMac: codeOf(client, `${base}/boot/boot.ipxe?mac=&card=&ip=`),
      stranger: of('aa-00-00-00-00-01'),
      other: of('bb-00-00-11-11-11'),
      menu: [codeOf(client, menu), codeOf(client, menu, '-u x:wrong'), codeOf(client, menu, '-u x:sesame')],
      status: [
        codeOf(client, `${base}/`),
        codeOf(client, `${base}/`, '-u x:sesame'),
        codeOf(one, `${base}/machines.json`),
      ],
      lines: [
        await one.said(/asks by another device than net0-7/),
        await one.said(/ is sent away: its role is strangers/),
        await one.said(/: no image nowhere is here/),
      ],
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
    const tftp = [
      ...readdirSync('/usr/lib/ipxe'),
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
      loaders: byTftp.filter(({ size }) => size > 0).map(({ what }) => what),
    };
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

  async 'a machine whose loader is slow'() {
    const one = await switchOn({ name: 'one', image, hasFirstStage: true });
    const old = await switchOn({ name: 'old', image: makeImage('old'), cable: { noMulticast: true } });
    await one.said(/dhcp: full/);
    await old.said(/runes: ready/);
    const client = await stranger('client');
    await askForAddress(client, '-V viver');
    const servers = [one, old].map((server) => `http://${server.addresses()[0]}:${PORT}/boot`);
    /** As iPXE asks, by the script's own words. @returns the first words of what it got for its initrd */
    const boot = async (server: string, ms: number) => {
      const script = get(client, `${server}/boot.ipxe`);
      const query = /^initrd .*?\/viverrd\.zst\?\S*?(&first)? /m.exec(script)?.[1] ?? '';
      client.run(`curl -sS -L -m 20 -o /dev/null '${server}/vmlinuz?chip=SNP'`);
      await sleep(ms);
      const { output } = client.run(`curl -s -L -m 20 '${server}/viverrd.zst?chip=SNP${query}' | head -c 14`);
      return { word: /viver\.first=(\S+)/.exec(script)?.[1] ?? 'none', got: output };
    };
    const [ours = '', theirs = ''] = servers;
    // the sum of the initrd is made when somebody is heard of
    await until('the word for the first stage', () => get(client, `${ours}/boot.ipxe`).includes('viver.first='));
    const quick = await boot(ours, 0);
    const slow = await boot(ours, SLOW_MS);
    const again = await boot(ours, SLOW_MS);
    const part = client.run(`curl -sS -m 20 '${ours}/viverrd.zst?here&bytes=0-14'`).output;
    const afterPart = await boot(ours, SLOW_MS);
    const initrd = createHash('sha256')
      .update(Buffer.alloc(3 << 20, 'initrd of one\n'))
      .digest('hex');
    const word = `${initrd}/${3 << 20}@${one.addresses()[0]}:${PORT}`;
    const got = [quick, slow, again, afterPart].map((boot) => boot.got);
    return { isRight: slow.word === word, got, part, without: await boot(theirs, SLOW_MS) };
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
