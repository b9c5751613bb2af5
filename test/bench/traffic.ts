/**
 * Bytes on the wire from power-on to the login prompt of one machine without a disk, by how it has its root:
 * `node test/bench/traffic.ts [WAY…]` writes build/bench/traffic.json. Kernel and initrd are handed over by QEMU and do not
 * count; all frames of the machine's port do, in both directions, with their headers.
 *
 * - `origin`: V-FIELD, all from one web server, chunks packed by zstd
 * - `peer`: V-FIELD, all from one node that has the image
 * - `nbd`: the kernel's NBD client and nbd-server, the image as a block device
 * - `nfs-image`: the image as a file of an NFS 4 server, by a loop device
 * - `nfs`: the image's files unpacked, as the tree of an NFS 4 server
 *
 * `asked` is what the root's file system read of its block device until shortly after the prompt: V-FIELD fetches ahead
 * beside that. Each way boots the same image with the same kernel once, since bytes hardly differ from boot to boot.
 * Needs root, for a network namespace. NFS needs Debian's nfs-ganesha-vfs, which `make setup` leaves away: it starts rpcbind.
 */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { Cluster } from '../vm/harness/cluster.ts';
import { diskless, pinned, staticAddress } from '../vm/harness/field-machines.ts';
import { builtImage } from '../vm/harness/images.ts';
import { LOGIN } from '../vm/harness/login.ts';
import { storeOf, WebServer } from '../vm/harness/origins.ts';
import { BUILD, product } from '../vm/harness/products.ts';
import type { Scenario, Step } from '../vm/harness/scenario.ts';
import { WireHost } from '../vm/harness/wire-host.ts';
import { serveNbd, serveNfs, whyNoNfs } from './distance/file-servers.ts';
import { plainKernel, whyNoNbd } from './distance/plain-root.ts';

const WAYS = ['origin', 'peer', 'nbd', 'nfs-image', 'nfs'] as const;
type Way = (typeof WAYS)[number];

const SERVER = '10.77.0.254';
const isWay = (word: string): word is Way => WAYS.some((way) => way === word);
const wanted = process.argv.slice(2).filter(isWay);
const ways: readonly Way[] = wanted.length > 0 ? wanted : WAYS;

interface Figures {
  /** Bytes of frames to the machine and from it, until the login prompt. */
  readonly received: number;
  readonly sent: number;
  /** What it received as a share of the image. */
  readonly share: number;
  /** Bytes of the image's block device that were read until shortly after; undefined: there is none. */
  readonly asked?: number;
  readonly loginSeconds: number;
}

const image = await builtImage('debian');
const imageBytes = statSync(image.sqfs).size;

/** What a way needs on the server, and what the machine is then. */
async function prepare(way: Way, host: WireHost, stack: AsyncDisposableStack): Promise<Scenario> {
  const name = `bench-traffic-${way}`;
  const number = 2 + WAYS.indexOf(way);
  if (way === 'origin' || way === 'peer') {
    if (way === 'origin') await WebServer.start(host, { store: await storeOf(image), address: SERVER });
    else
      await host.serve(20070, product('viver'), ['field', 'up', '--image', image.sqfs, '--listen', `${SERVER}:20070`]);
    const from = way === 'origin' ? `viver.origin=http://${SERVER}/` : `viver.peer=${SERVER}`;
    return diskless({ name, number, image, words: [staticAddress(number), pinned(image), from], steps: [] });
  }
  if (way === 'nbd') await serveNbd(host, image.sqfs);
  else stack.use(await serveNfs(host, image.sqfs));
  return {
    name,
    memoryMiB: 1024,
    kernel: await plainKernel(way, `10.77.0.${number}`, SERVER),
    nics: [{ name: 'net', model: 'virtio-net-pci', wire: 'lan' }],
    steps: LOGIN,
  };
}

/** A device of which sectors were read, 512 bytes each (Linux Documentation/block/stat.rst). */
const ASKED: Step = { run: 'cat /sys/block/nbd0/stat 2> /dev/null || cat /sys/block/loop0/stat 2> /dev/null || true' };

async function measure(way: Way): Promise<Figures> {
  await using cluster = await Cluster.open({ slots: 'one' });
  await using host = await WireHost.plugInto(cluster.wire, 'server', `${SERVER}/24`);
  await using stack = new AsyncDisposableStack();
  const scenario = await prepare(way, host, stack);
  const machine = await cluster.powerOn(scenario);
  const port = cluster.wire.port(scenario.name);
  let figures: Figures | undefined;
  for (const step of scenario.steps) {
    await cluster.perform(machine, [step]);
    if (!('prompt' in step) || figures !== undefined) continue;
    const { receivedBytes: received, sentBytes: sent } = port;
    const share = Math.round((1000 * received) / imageBytes) / 1000;
    figures = { received, sent, share, loginSeconds: Math.round(machine.nowMs() / 100) / 10 };
  }
  if (figures === undefined) throw new Error(`${scenario.name}: no login prompt was waited for`);
  if (way === 'nfs') return figures;
  const sectors = /^\s*\d+\s+\d+\s+(\d+)/m.exec(await cluster.perform(machine, [ASKED]))?.[1];
  return sectors === undefined ? figures : { ...figures, asked: Number(sectors) * 512 };
}

const figures: Partial<Record<Way, Figures>> = {};
const leftOut: Partial<Record<Way, string>> = {};
for (const way of ways) {
  const why = way === 'nbd' ? whyNoNbd() : way.startsWith('nfs') ? whyNoNfs() : undefined;
  if (why !== undefined) leftOut[way] = why;
  else figures[way] = await measure(way);
  process.stdout.write(`${way}: ${why ?? JSON.stringify(figures[way])}\n`);
}
mkdirSync(join(BUILD, 'bench'), { recursive: true });
const report = { image: { name: image.name, bytes: imageBytes }, load: loadavg(), figures, leftOut };
writeFileSync(join(BUILD, 'bench/traffic.json'), `${JSON.stringify(report, undefined, 2)}\n`);
