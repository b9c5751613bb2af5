/**
 * `make demo`: machine 1 boots from build/viver.iso, machines 2 and 3 from their network cards and machine 1; then
 * machine 1 is switched off and the others go on. All in QEMU on a wire of its own, without root.
 * usage: node scripts/demo.ts
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { relative } from 'node:path';
import { Cluster, describeBytes, type Moment } from '../test/vm/harness/cluster.ts';
import { LOGIN } from '../test/vm/harness/login.ts';
import type { Machine } from '../test/vm/harness/machine.ts';
import { CHECKOUT, product, VM_DIRECTORY } from '../test/vm/harness/products.ts';
import { SERVES } from '../test/vm/harness/pxe-machines.ts';
import type { Scenario } from '../test/vm/harness/scenario.ts';

/** Seconds for the whole boot of one machine; a machine without KVM and two cores takes about one minute. */
const BOOT_SECONDS = 600;
const TRAFFIC_EVERY_MS = 10_000;
/** In the image, the size of an initrd: nothing has read it before on machines 2 and 3. */
const FILE = '/boot/viverrd.zst';
const CONTROL = '/run/viver/field.sock';

const MACHINES: readonly (Scenario & { readonly is: string })[] = [
  {
    name: 'machine-1',
    is: 'BIOS, 2 CPUs, virtio-net; boots build/viver.iso, its CD',
    cpus: 2,
    memoryMiB: 1536,
    disks: [{ name: 'cd', bus: 'sata-cd', file: product('viver.iso') }],
    nics: [{ name: 'net', model: 'virtio-net-pci', mac: '52:54:00:00:00:01', wire: 'lan' }],
    steps: [],
  },
  {
    name: 'machine-2',
    is: 'BIOS, 1 CPU, e1000; no disk: boots from its network card (PXE)',
    cpus: 1,
    memoryMiB: 1024,
    nics: [{ name: 'net', model: 'e1000', mac: '52:54:00:00:00:02', wire: 'lan', bootIndex: 1 }],
    steps: [],
  },
  {
    name: 'machine-3',
    is: 'UEFI, 2 CPUs, rtl8139; no disk: boots from its network card (PXE)',
    firmware: 'uefi',
    cpus: 2,
    memoryMiB: 1024,
    nics: [{ name: 'net', model: 'rtl8139', mac: '52:54:00:00:00:03', wire: 'lan', bootIndex: 1 }],
    steps: [],
  },
];

const say = (line = ''): void => void process.stdout.write(`${line}\n`);
const seconds = (ms: number): string => (ms / 1000).toFixed(1).padStart(7);
const tell = ({ atMs, machine, text }: Moment): void => say(`${seconds(atMs)}  ${machine}  ${text}`);

function headline(text: string): void {
  say();
  say(`== ${text}`);
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file)) hash.update(piece);
  return hash.digest('hex');
}

/** Says every few seconds what each machine got from whom, as long as it changes. */
function tellTraffic(cluster: Cluster): Disposable {
  const told = new Map<string, string>();
  const timer = setInterval(() => {
    for (const { name } of MACHINES.slice(1)) {
      const sources = cluster.describeTraffic(name);
      if (sources === '' || told.get(name) === sources) continue;
      told.set(name, sources);
      say(`${seconds(cluster.nowMs())}  ${name}  … has got, ${sources}`);
    }
  }, TRAFFIC_EVERY_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

interface Booted {
  readonly machine: Machine;
  /** From power-on to the login prompt. */
  readonly loginMs: number;
}

/** From power-on to a shell on the serial console. */
async function boot(cluster: Cluster, scenario: Scenario): Promise<Booted> {
  const machine = await cluster.powerOn(scenario);
  await cluster.perform(machine, [{ prompt: /login: $/, within: BOOT_SECONDS }]);
  const loginMs = machine.nowMs();
  cluster.note(scenario.name, `LOGIN PROMPT, ${(loginMs / 1000).toFixed(1)} s after power-on`);
  await cluster.perform(machine, LOGIN.slice(1));
  return { machine, loginMs };
}

interface Status {
  readonly image: { readonly chunks: number };
  readonly node: { readonly held: number };
  readonly redundancy: { readonly min: number };
  readonly traffic: { readonly fromPeers: number; readonly toPeers: number };
}

async function statusOf(cluster: Cluster, machine: Machine): Promise<Status> {
  const text = await cluster.run(machine, `viver field status --control ${CONTROL} --json`);
  return JSON.parse(text.slice(text.indexOf('{')));
}

/** Waits until each piece of the image is held twice at least: once by machine 1, once by another. */
async function untilSafe(cluster: Cluster, machine: Machine): Promise<void> {
  const deadlineMs = cluster.nowMs() + BOOT_SECONDS * 1000;
  for (;;) {
    const { image, node, redundancy } = await statusOf(cluster, machine);
    cluster.note(
      machine.scenario.name,
      `holds ${node.held} of ${image.chunks} chunks; every chunk is held ${redundancy.min} times or more`,
    );
    if (redundancy.min >= 2) return;
    if (cluster.nowMs() > deadlineMs) throw new Error('the field does not get to hold every chunk twice');
    await new Promise((resolve) => setTimeout(resolve, 3000));
  }
}

/** Reads the file anew, past what the kernel remembers, and compares. */
async function readAgain(cluster: Cluster, { machine }: Booted, wanted: string): Promise<void> {
  const { name } = machine.scenario;
  const before = cluster.meter.total(name, 'field');
  const output = await cluster.run(machine, `echo 3 > /proc/sys/vm/drop_caches; sha256sum ${FILE}`, BOOT_SECONDS);
  const found = /[0-9a-f]{64}/.exec(output)?.[0];
  if (found !== wanted) throw new Error(`${name}: ${FILE} should have ${wanted}, has ${found}`);
  const mb = ((cluster.meter.total(name, 'field') - before) / 1e6).toFixed(1);
  cluster.note(name, `read ${FILE}: SHA-256 ${found.slice(0, 16)}… is right; ${mb} MB came over the wire meanwhile`);
}

async function demo(): Promise<void> {
  const wanted = await sha256(product('viverrd.zst'));
  say('Three machines on one wire, with nobody else on it and nothing set up:');
  for (const { name, is } of MACHINES) say(`  ${name}  ${is}`);
  say(`Their consoles: ${relative(CHECKOUT, VM_DIRECTORY)}/machine-N/console.log`);
  const [first, ...others] = MACHINES;
  if (first === undefined) return;
  await using cluster = await Cluster.open({ onMoment: tell });

  headline('machine 1 is switched on');
  say('seconds');
  const one = await boot(cluster, first);
  // Some seconds are spent on hearing that no other DHCP server is there; a PXE ROM that asks meanwhile gives up.
  await cluster.run(one.machine, SERVES, BOOT_SECONDS);
  cluster.note(first.name, 'serves: others can boot from it');
  using _traffic = tellTraffic(cluster);

  const booted: Booted[] = [];
  for (const scenario of others) {
    headline(`${scenario.name.replace('-', ' ')} is switched on`);
    booted.push(await boot(cluster, scenario));
    for (const [from, bytes] of cluster.meter.receivedBy(scenario.name)) {
      say(`         ${scenario.name}  got from ${from}: ${describeBytes(bytes)}`);
    }
  }

  headline('the field, as machine 2 sees it (viver field status)');
  const [two] = booted;
  if (two === undefined) return;
  await untilSafe(cluster, two.machine);
  say(await cluster.run(two.machine, `viver field status --control ${CONTROL}`));

  headline('machine 1 is switched off; machines 2 and 3 have each other');
  await cluster.powerOff(one.machine);
  for (const machine of booted) await readAgain(cluster, machine, wanted);

  const times = [one, ...booted].map(
    ({ machine, loginMs }) => `${machine.scenario.name} ${(loginMs / 1000).toFixed(0)} s`,
  );
  headline('It works.');
  say(`Power-on to login prompt: ${times.join(', ')}.`);
  say('Both machines without a disk read the file right, with the machine they booted from switched off.');
  say();
  say('With real machines:');
  say('  1. sudo dd if=build/viver.iso of=/dev/sdX bs=4M conv=fsync      a stick; all that is on it is lost');
  say('  2. Boot one machine from it (BIOS or UEFI), on the same wire as the others.');
  say('  3. Switch the others on and let them boot from the network (PXE). Nothing is written to any of them.');
}

try {
  await demo();
} catch (error) {
  say();
  say(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
