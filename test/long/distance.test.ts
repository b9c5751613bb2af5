/** Machines whose image comes from web servers: one, two, one behind a cache, one that DNS names anew. See docs/distance.md. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import type { FieldStatus } from '../../src/field/status.ts';
import { until } from '../field/field-harness.ts';
import { Cluster } from '../vm/harness/cluster.ts';
import { diskless, pinned, readAnew, staticAddress } from '../vm/harness/field-machines.ts';
import { type Image, smallImage } from '../vm/harness/images.ts';
import type { Machine } from '../vm/harness/machine.ts';
import { Authority, NameServer, startCache, storeOf, WebServer } from '../vm/harness/origins.ts';
import { kernelWith } from '../vm/harness/own-initrd.ts';
import type { Step } from '../vm/harness/scenario.ts';
import { WireHost } from '../vm/harness/wire-host.ts';

const run = promisify(execFile);
const LONG_MS = 1_800_000;
/** Seconds; the machine may share its processors with others. */
const PATIENCE = 240;

/** The kernel says so when a read has failed. */
const NO_IO_ERROR: Step = { run: '! dmesg | grep -iE "I/O error|squashfs error|unable to read"' };
const NO_RESTART: Step = { run: '! dmesg | grep "@viver-field ended"' };
/** The daemon's process id, which its supervisor notes. */
const DAEMON = '$(cat /run/sendsigs.omit.d/viver-field)';

let image: Image;
let store: string;
/** SHA-256 of the image's /data, as squashfs-tools reads it. */
let sum: string;
beforeAll(async () => {
  image = await smallImage();
  store = await storeOf(image);
  const { stdout } = await run('unsquashfs', ['-cat', image.sqfs, 'data'], { encoding: 'buffer', maxBuffer: 64 << 20 });
  sum = createHash('sha256').update(stdout).digest('hex');
}, LONG_MS);

const isRight = (): Step => ({ run: readAnew('/data'), output: sum, within: PATIENCE });

async function statusOf(cluster: Cluster, machine: Machine): Promise<FieldStatus> {
  const words = '/usr/local/bin/viver field status --control /run/viver/field.sock --json';
  const text = await cluster.run(machine, words, 120);
  return JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) as FieldStatus;
}

test(
  'a boot from nginx alone; through squid the second boot comes from its cache, and the origin gives nothing',
  async () => {
    await using cluster = await Cluster.open({ slots: 'one' });
    await using host = await WireHost.plugInto(cluster.wire, 'web', '10.77.0.254/24');
    const nginx = await WebServer.start(host, { store, address: '10.77.0.254' });
    await startCache(host);
    const boot = async (name: string, number: number, words: readonly string[]): Promise<number> => {
      const before = nginx.sentBytes;
      const origin = 'viver.origin=http://10.77.0.254/';
      const all = [staticAddress(number), pinned(image), origin, ...words];
      const steps = [isRight(), NO_IO_ERROR, NO_RESTART];
      const machine = await cluster.powerOn(diskless({ name, number, image, words: all, steps }));
      await cluster.performAll(machine);
      const { peers, traffic, origins } = await statusOf(cluster, machine);
      expect(peers).toEqual([]);
      expect(traffic).toMatchObject({ fromPeers: 0, rejected: 0 });
      expect(traffic.fromOrigin).toBeGreaterThan(24e6);
      expect(origins).toMatchObject([{ state: 'asked', failures: 0, fault: null }]);
      await cluster.powerOff(machine);
      return nginx.sentBytes - before;
    };
    expect(await boot('distance-nginx', 2, [])).toBeGreaterThan(24e6);
    // The kernel gives words that it does not know to /init as its environment.
    const proxy = ['http_proxy=http://10.77.0.254:3128/'];
    expect(await boot('distance-squid-1', 3, proxy)).toBeGreaterThan(24e6);
    expect(await boot('distance-squid-2', 4, proxy)).toBeLessThan(24e6 * 0.02);
  },
  LONG_MS,
);

/**
 * Reads /data piece by piece, for more than half a minute, and writes down when each piece was there, in seconds since the
 * machine's start.
 */
const READ_PIECES = [
  'i=0; while [ $i -lt 384 ]',
  'do dd if=/data of=/dev/null bs=64k skip=$i count=1 2> /dev/null || echo failed',
  'read -r now rest < /proc/uptime; echo $now; usleep 80000; i=$((i + 1)); done > /tmp/pieces; touch /tmp/read',
].join('; ');

/** The longest time between two pieces, in seconds. The first is left out: a daemon was starting. */
function longestPause(text: string): number {
  const times = [...text.matchAll(/^(\d+\.\d+)$/gm)].map(([, at]) => Number(at));
  expect(times.length).toBeGreaterThan(350); // the kernel's words may stand in some lines
  return Math.max(...times.slice(1).map((at, i) => at - (times[i] ?? 0)));
}

test(
  'two origins: one is killed while the machine boots, then is silent under reads, and is asked again when it is back',
  async () => {
    await using cluster = await Cluster.open({ slots: 'one' });
    await using first = await WireHost.plugInto(cluster.wire, 'web-1', '10.77.0.251/24');
    await using second = await WireHost.plugInto(cluster.wire, 'web-2', '10.77.0.252/24');
    const one = await WebServer.start(first, { store, address: '10.77.0.251' });
    const two = await WebServer.start(second, { store, address: '10.77.0.252' });
    for (const host of [first, second]) host.limit(16);
    const origin = 'viver.origin=http://10.77.0.251/,http://10.77.0.252/';
    const words = [staticAddress(2), pinned(image), origin];
    const steps = [NO_IO_ERROR, NO_RESTART];
    const machine = await cluster.powerOn(diskless({ name: 'distance-two', number: 2, image, words, steps }));
    const booted = cluster.performAll(machine);
    booted.catch(() => {}); // heard of below
    await Promise.race([until('the first origin is asked', async () => one.chunks >= 2, 2 * PATIENCE), booted]);
    await one.kill();
    const killedAt = machine.nowMs();
    await booted;
    const rootAt = machine.console.lines.find(({ text }) => text.includes('viver: root ready'))?.atMs ?? 0;
    expect(killedAt).toBeLessThan(rootAt);
    expect(two.chunks).toBeGreaterThan(0);
    await one.begin();

    // What it has is lost: all is asked for again, of both.
    const before = { one: one.chunks, two: two.chunks };
    await cluster.run(machine, `kill -9 ${DAEMON}; echo 3 > /proc/sys/vm/drop_caches; { (${READ_PIECES}) & }`);
    const bothAsked = async () => one.chunks > before.one + 10 && two.chunks > before.two + 10;
    await until('both origins are asked', bothAsked, PATIENCE);
    const port = cluster.wire.port('web-1');
    port.rules = { cut: true };
    await cluster.perform(machine, [{ pauseSeconds: 8, because: 'the other one has to do' }]);
    const silent = one.chunks;
    port.rules = {};
    await until('the first origin is asked again', async () => one.chunks > silent + 10, 60);
    await cluster.run(machine, 'until [ -e /tmp/read ]; do sleep 1; done', PATIENCE);
    const pieces = await cluster.run(machine, 'cat /tmp/pieces');
    expect(pieces).not.toContain('failed');
    const pause = longestPause(pieces);
    process.stderr.write(`an origin fell silent: the longest pause was ${pause.toFixed(2)} s\n`);
    expect(pause).toBeLessThan(3);
    await cluster.perform(machine, [isRight(), NO_IO_ERROR]);
  },
  LONG_MS,
);

test(
  'TLS with a clock that is dead; DNS names the servers (SRV), and others while the machine runs',
  async () => {
    await using cluster = await Cluster.open({ slots: 'one' });
    await using host = await WireHost.plugInto(cluster.wire, 'web', '10.77.0.251/24', '10.77.0.252/24');
    const authority = new Authority('distance');
    const places = { 'one.site.test': '10.77.0.251', 'two.site.test': '10.77.0.252' };
    const started = Object.entries(places).map(([name, address]) =>
      WebServer.start(host, { store, address, tls: authority.certificateOf(name) }),
    );
    const [one, two] = await Promise.all(started);
    if (one === undefined || two === undefined) throw new Error('no servers');
    const names = new NameServer(host);
    await names.tell(places, { '_https._tcp.site.test': 'one.site.test,443' });
    host.limit(2);
    const words = [pinned(image), 'viver.origin=https://_https._tcp.site.test/'];
    const { kernel, ...rest } = diskless({ name: 'distance-names', number: 2, image, words, steps: [NO_IO_ERROR] });
    const withAuthority = await kernelWith({ 'etc/viver/ca.pem': authority.pem }, 'viver.media=net', ...words);
    const clock = '2000-01-01T00:00:00';
    const machine = await cluster.powerOn({ ...rest, kernel: { ...kernel, ...withAuthority }, clock });
    await cluster.performAll(machine);
    await cluster.perform(machine, [
      { run: 'date +%Y', output: /2000/ },
      { run: 'dmesg | grep "its certificate is not of today, 2000-01-01"' },
    ]);
    // What is not read is not asked for.
    const before = one.chunks;
    await cluster.run(machine, '{ (sha256sum /data > /tmp/sum) & }');
    await until('the first server is asked', async () => one.chunks > before + 10, PATIENCE);
    expect(two.chunks).toBe(0);
    await names.tell(places, { '_https._tcp.site.test': 'two.site.test,443' });
    await one.kill();
    await until('the server that DNS names now is asked', async () => two.chunks > 0, PATIENCE);
    host.limit(undefined);
    const readOn: Step = { run: 'until grep / /tmp/sum; do sleep 1; done', output: sum, within: PATIENCE };
    await cluster.perform(machine, [readOn, isRight(), NO_IO_ERROR, NO_RESTART]);
    const { origins } = await statusOf(cluster, machine);
    expect(origins.map(({ name }) => name)).toEqual(['https://_https._tcp.site.test/ (two.site.test:443)']);
  },
  LONG_MS,
);
