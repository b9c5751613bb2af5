/**
 * Machines on one wire: a bridge in a network namespace of this process's own, each machine in namespaces behind a veth.
 * Run as `unshare --net --mount node scenarios.ts NAME (or another *-scenarios.ts)`; everything is gone with this process.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export interface MachineRecord {
  readonly name: string;
  /** A squashfs file. */
  readonly image: string;
  /** Its kernel command line. */
  readonly words?: string;
  /** What its image is called; default: `small`. */
  readonly imageName?: string;
  readonly cable?: Cable;
  /** Plugin files of its own, text by name. */
  readonly plugins?: Readonly<Record<string, string>>;
  /** Its roles file. */
  readonly roles?: string;
  /** Public keys (minisign) in its initrd, texts by name. */
  readonly signingKeys?: Readonly<Record<string, string>>;
  /** Its initramfs has the executable: it gives other images, too. */
  readonly hasProgram?: boolean;
  /** Its image has a first stage for machines that boot by network. */
  readonly hasFirstStage?: boolean;
  /** As after a boot from a medium: /init has left no daemon, RUNES starts one (with hasProgram). */
  readonly ownField?: boolean;
  /** The key of its field. */
  readonly key?: string;
}

/** How a station is on the wire. */
export interface Cable {
  /** Of its card; default: any. */
  readonly mac?: string;
  /** Multicast of others does not get through to it, as behind a switch that filters it. */
  readonly noMulticast?: boolean;
  /** Of its other card `eth1`, a wire that is laid for it, or the common one (`wire`); default: there is none. */
  readonly second?: string;
  /** Of that card; default: any. */
  readonly secondMac?: string;
}

const ip = (...words: string[]) => execFileSync('ip', words, { encoding: 'utf8' });

/** Waits for a condition; the deadline only ends what would hang. */
export async function until<T>(
  what: string | (() => string),
  condition: () => T | undefined | false,
  seconds = 180,
): Promise<T> {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const value = condition();
    if (value !== undefined && value !== false) return value;
    await sleep(50);
  }
  throw new Error(`waited ${seconds} s in vain: ${typeof what === 'string' ? what : what()}`);
}

/** The wire that every station has a cable to, or another one. */
export function layWire(name = 'wire'): void {
  if (name === 'wire') execFileSync('mount', ['--make-rprivate', '/']);
  ip('link', 'add', name, 'type', 'bridge');
  ip('link', 'set', name, 'up');
}

let ports = 0;

const addressOf = (mac: string | undefined): readonly string[] => (mac === undefined ? [] : ['address', mac]);

/** Something with a network card `eth0` on the wire. */
export class Station {
  readonly name: string;
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #port: string;
  #pid = 0;

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    this.#port = `p${ports++}`;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#hear(line));
    }
    process.once('exit', () => child.kill('SIGKILL'));
  }

  #hear(line: string): void {
    this.lines.push(line);
    if (process.env.LAB_TALK !== undefined) process.stderr.write(`${this.name}: ${line}\n`);
  }

  /** Lays a cable from the wire to its card. */
  async plug(cable: Cable = {}, card = 'eth0'): Promise<void> {
    const { mac, noMulticast, second, secondMac } = cable;
    const unshare = this.#child.pid ?? 0;
    this.#pid = await until(`${this.name} to run`, () => {
      const children = readFileSync(`/proc/${unshare}/task/${unshare}/children`, 'utf8').trim().split(' ');
      return Number(children[0]) || undefined;
    });
    if (second !== undefined) this.#plugSecond(second, addressOf(secondMac));
    const address = addressOf(mac);
    ip('link', 'add', this.#port, 'type', 'veth', 'peer', 'name', card, ...address, 'netns', String(this.#pid));
    ip('link', 'set', this.#port, 'master', 'wire', 'up');
    if (noMulticast === true) execFileSync('bridge', ['link', 'set', 'dev', this.#port, 'mcast_flood', 'off']);
  }

  #plugSecond(wire: string, address: readonly string[]): void {
    if (wire !== 'wire') layWire(wire);
    const port = `p${ports++}`;
    ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth1', ...address, 'netns', String(this.#pid));
    ip('link', 'set', port, 'master', wire, 'up');
  }

  /** Pulls the plug: no process of it says goodbye. */
  async switchOff(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    // A program that gave up privileges no longer ends with its parent (PR_SET_PDEATHSIG).
    if (this.#pid !== 0) process.kill(this.#pid, 'SIGKILL');
    await ended;
  }

  /** Runs a shell command at the station; gives status and what it printed. */
  run(command: string): { status: number | null; output: string } {
    const inside = ['-t', String(this.#pid), '-n', '-m', '-p', '--', 'timeout', '30', 'sh', '-c', command];
    const { status, stdout, stderr } = spawnSync('nsenter', inside, { encoding: 'utf8' });
    return { status, output: `${stdout}${stderr}` };
  }

  /** The same, without holding up this process. */
  runAside(command: string): Promise<{ status: number | null; output: string }> {
    const inside = ['-t', String(this.#pid), '-n', '-m', '-p', '--', 'timeout', '60', 'sh', '-c', command];
    const child = spawn('nsenter', inside, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += String(part)));
    return new Promise((resolve) => child.once('close', (status) => resolve({ status, output })));
  }

  async said(pattern: RegExp, seconds = 180): Promise<string> {
    return await until(
      () => `${this.name} to say ${pattern}; it said:\n${this.lines.join('\n')}`,
      () => this.lines.find((line) => pattern.test(line)),
      seconds,
    );
  }

  addresses(card = 'eth0'): string[] {
    const { output } = this.run(`ip -4 -o address show ${card}`);
    return [...output.matchAll(/inet ([\d.]+)\//g)].flatMap(([, address]) => address ?? []);
  }
}

const ISOLATED = ['--net', '--mount', '--uts', '--pid', '--fork', '--mount-proc', '--kill-child'];

/** A machine with its plugins; see machine.ts. */
export async function switchOn(record: MachineRecord): Promise<Station> {
  const program = join(import.meta.dirname, 'machine.ts');
  const child = spawn('unshare', [...ISOLATED, process.execPath, program, JSON.stringify(record)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const station = new Station(record.name, child);
  await station.plug(record.cable);
  return station;
}

/** A station without anything of VIVER. */
export async function stranger(name: string, command = 'sleep 1000'): Promise<Station> {
  const child = spawn('unshare', [...ISOLATED, 'sh', '-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
  const station = new Station(name, child);
  await station.plug();
  station.run('ip link set lo up; ip link set eth0 up');
  return station;
}

/**
 * A DHCP server that has nothing to do with VIVER.
 * @param more of dnsmasq's options
 */
export async function foreignServer(network: string, ...more: string[]): Promise<Station> {
  const words = [
    ...more,
    '--keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --port=0 --user=root --no-ping --log-dhcp',
    '--dhcp-authoritative --leasefile-ro --pid-file= --interface=eth0 --bind-dynamic --log-facility=-',
    `--dhcp-range=${network}.50,${network}.99,255.255.255.0,2m`,
  ];
  const station = await stranger(
    'foreign',
    `while ! ip -4 -o address show eth0 2>/dev/null | grep -q inet; do sleep 0.1; done; exec dnsmasq ${words.join(' ')}`,
  );
  station.run(`ip address add ${network}.1/24 dev eth0`);
  return station;
}

const SCRIPT = `#!/bin/sh
[ "$1" = bound ] && { ip address add "$ip/\${mask:-24}" dev eth0; env; }
exit 0
`;

/** Gets an address as a machine's firmware would, and tells what the server said. */
export async function askForAddress(client: Station, ...options: string[]): Promise<Record<string, string>> {
  client.run(`printf '%s' '${SCRIPT}' > /tmp/lab-dhcp-${client.name}; chmod 755 /tmp/lab-dhcp-${client.name}`);
  const ask = `busybox udhcpc -f -n -q -t 8 -T 1 -i eth0 -s /tmp/lab-dhcp-${client.name} -O bootfile -O tftp ${options.join(' ')}`;
  const { output } = await client.runAside(ask);
  client.run(`rm -f /tmp/lab-dhcp-${client.name}`);
  return Object.fromEntries(
    output.split('\n').map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]),
  );
}
