/**
 * A network on this machine for the field's benchmarks and tests: a switch and any number of hosts, each in its own
 * network namespace, with links shaped by tbf in both directions. Needs root. Everything is removed at the end.
 */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';

export interface LinkShape {
  readonly mbit: number;
  /** Bytes of a burst, and bytes that may queue. */
  readonly burst: number;
  readonly limit: number;
}

/**
 * Bytes that TCP hands to a link at a time. More than a burst would be cut by tbf into single packets, with a timer for
 * each: of thirty hosts that took 1.04 seconds of kernel time each where this takes 0.62, on processors that are short.
 */
const BUNCH = 16 << 10;

export const SHAPE_20_MBIT: LinkShape = { mbit: 20, burst: 32 << 10, limit: 256 << 10 };

function batch(program: 'ip' | 'tc', lines: readonly string[], namespace?: string): void {
  const args = namespace === undefined ? ['-batch', '-'] : ['-n', namespace, '-batch', '-'];
  execFileSync(program, args, { input: `${lines.join('\n')}\n`, stdio: ['pipe', 'inherit', 'inherit'] });
}

/** Two switches joined by a slow link: the first hosts are at one, the others at the other. */
export interface Rooms {
  readonly first: number;
  readonly uplink: LinkShape;
}

let labs = 0;

/** @param first its bit 1 says that it is given by the machine's administrator */
function macAddress(first: '02' | '06', host: number): string {
  return `${first}:00:00:00:${hexByte(host >> 8)}:${hexByte(host & 255)}`;
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}

export class Lab implements Disposable {
  readonly #prefix: string;
  readonly #hosts: number;

  private constructor(prefix: string, hosts: number) {
    this.#prefix = prefix;
    this.#hosts = hosts;
  }

  /** @param shape undefined: links as fast as the machine */
  static create(hosts: number, shape: LinkShape | undefined, rooms?: Rooms): Lab {
    const prefix = `vf${process.pid}n${++labs}`;
    const lab = new Lab(prefix, hosts);
    const numbers = Array.from({ length: hosts }, (_, i) => i);
    const sw = `${prefix}s`;
    try {
      batch('ip', [`netns add ${sw}`, ...numbers.map((i) => `netns add ${prefix}h${i}`)]);
      batch('ip', ['link add br0 type bridge', 'link set br0 up'], sw);
      if (rooms !== undefined) joinRooms(rooms.uplink, sw);
      const bridgeOf = (host: number): string => (rooms === undefined || host < rooms.first ? 'br0' : 'br1');
      letPass(sw);
      batch(
        'ip',
        numbers.flatMap((i) => [
          `link add p${i} address ${macAddress('02', i)} gso_max_size ${BUNCH} type veth peer name eth0 address ${macAddress('06', i)} netns ${prefix}h${i}`,
          `link set p${i} master ${bridgeOf(i)} up`,
        ]),
        sw,
      );
      for (const i of numbers) {
        const neighbours = numbers.filter((other) => other !== i);
        batch(
          'ip',
          [
            `addr add ${lab.address(i)}/16 dev eth0`,
            'link set lo up',
            `link set eth0 gso_max_size ${BUNCH} up`,
            // All hosts share one kernel's table of neighbours, which ends at 1024: fifty that know each other are more.
            // Entries that stay are not counted.
            ...neighbours.map(
              (n) => `neigh add ${lab.address(n)} lladdr ${macAddress('06', n)} dev eth0 nud permanent`,
            ),
          ],
          lab.namespace(i),
        );
      }
      if (shape !== undefined) {
        const { mbit, burst, limit } = shape;
        const qdisc = `root tbf rate ${mbit}mbit burst ${burst} limit ${limit}`;
        batch(
          'tc',
          numbers.map((i) => `qdisc add dev p${i} ${qdisc}`),
          sw,
        );
        for (const i of numbers) batch('tc', [`qdisc add dev eth0 ${qdisc}`], lab.namespace(i));
      }
      return lab;
    } catch (error) {
      lab.destroy();
      throw error;
    }
  }

  namespace(host: number): string {
    return `${this.#prefix}h${host}`;
  }

  address(host: number): string {
    return `10.77.${host >> 8}.${(host & 255) + 1}`;
  }

  /** Pulls or plugs the cable of a host at the switch. */
  link(host: number, isUp: boolean): void {
    batch('ip', [`link set p${host} ${isUp ? 'up' : 'down'}`], `${this.#prefix}s`);
  }

  /** Bytes that a host has sent over its link so far. */
  sentBytes(host: number): number {
    const text = execFileSync('ip', ['-n', this.namespace(host), '-s', '-j', 'link', 'show', 'eth0'], {
      encoding: 'utf8',
    });
    const [link] = JSON.parse(text) as [{ stats64: { tx: { bytes: number } } }];
    return link.stats64.tx.bytes;
  }

  /** Bytes that have gone from room to room so far, both ways. */
  crossedBytes(): number {
    const sent = (end: string): number => {
      const text = execFileSync('ip', ['-n', `${this.#prefix}s`, '-s', '-j', 'link', 'show', end], {
        encoding: 'utf8',
      });
      const [link] = JSON.parse(text) as [{ stats64: { tx: { bytes: number } } }];
      return link.stats64.tx.bytes;
    };
    return sent('up0') + sent('up1');
  }

  spawn(host: number, command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return spawn('ip', ['netns', 'exec', this.namespace(host), command, ...args], options);
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  destroy(): void {
    for (let i = 0; i < this.#hosts; i++) removeNamespace(this.namespace(i));
    removeNamespace(`${this.#prefix}s`);
  }
}

function joinRooms({ mbit, burst, limit }: LinkShape, sw: string): void {
  const ends = [
    'link add br1 type bridge',
    'link set br1 up',
    `link add up0 gso_max_size ${BUNCH} type veth peer name up1`,
  ];
  batch('ip', [...ends, 'link set up0 master br0 up', `link set up1 gso_max_size ${BUNCH} master br1 up`], sw);
  const qdisc = `root tbf rate ${mbit}mbit burst ${burst} limit ${limit}`;
  batch('tc', [`qdisc add dev up0 ${qdisc}`, `qdisc add dev up1 ${qdisc}`], sw);
}

/** A switch is no firewall: what passes the bridge does not go through the packet filter, which would cost every packet. */
function letPass(namespace: string): void {
  // A kernel without a packet filter for bridges has no such file.
  const set = 'f=/proc/sys/net/bridge/bridge-nf-call-iptables; [ ! -w $f ] || echo 0 > $f';
  execFileSync('ip', ['netns', 'exec', namespace, 'sh', '-c', set], { stdio: 'ignore' });
}

function removeNamespace(name: string): void {
  try {
    execFileSync('ip', ['netns', 'delete', name], { stdio: 'ignore' });
  } catch {
    // It was never made.
  }
}
