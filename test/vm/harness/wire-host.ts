/**
 * A host on a wire whose programs are this machine's own (web servers, a cache, name and file servers), in a network
 * namespace. A QEMU without a machine carries the frames between its TAP card and the wire. Needs root.
 */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { vmDirectory } from './products.ts';
import type { Wire } from './wire.ts';

const CARD = 'wire0';
/** A program that listens is waited for this long. */
const LISTENS_MS = 20_000;

let hosts = 0;

function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** The hub of QEMU's network: what comes at one port leaves by the other. */
function hub(): readonly string[] {
  return [
    ...['-machine', 'none', '-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-netdev', `tap,id=card,ifname=${CARD},script=no,downscript=no,vnet_hdr=off`],
    ...['-netdev', 'socket,id=wire,fd=3'],
    ...['-netdev', 'hubport,id=to-card,hubid=0,netdev=card', '-netdev', 'hubport,id=to-wire,hubid=0,netdev=wire'],
  ];
}

export class WireHost implements AsyncDisposable {
  readonly name: string;
  readonly #namespace = `vw${process.pid}n${++hosts}`;
  readonly #running = new Set<ChildProcess>();

  private constructor(name: string) {
    this.name = name;
  }

  /**
   * @param name of its port on the wire
   * @param addresses its own, `10.77.0.254/24`
   */
  static async plugInto(wire: Wire, name: string, ...addresses: readonly string[]): Promise<WireHost> {
    const host = new WireHost(name);
    const namespace = host.#namespace;
    try {
      ip('netns', 'add', namespace);
      ip('-n', namespace, 'tuntap', 'add', 'dev', CARD, 'mode', 'tap');
      for (const address of addresses) ip('-n', namespace, 'addr', 'add', address, 'dev', CARD);
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
      const log = openSync(join(vmDirectory('hosts', name), 'hub.log'), 'w');
      const bridge = host.start('qemu-system-x86_64', hub(), { stdio: ['ignore', 'ignore', log, 'pipe'] });
      closeSync(log);
      wire.plug(bridge.stdio[3] as Duplex, name);
      ip('-n', namespace, 'link', 'set', CARD, 'up');
      await host.#until(`the card of ${name}`, () => host.#hasCarrier(), bridge);
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The rate at which it sends, in Mbit/s; undefined: as fast as it can. */
  limit(mbit: number | undefined): void {
    const words = ['-n', this.#namespace, 'qdisc', mbit === undefined ? 'del' : 'replace', 'dev', CARD, 'root'];
    const shape = mbit === undefined ? [] : ['tbf', 'rate', `${mbit}mbit`, 'burst', '32k', 'limit', '256k'];
    execFileSync('tc', [...words, ...shape], { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  /** Starts a program on this host; it ends with the host. */
  start(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const words = ['--pdeathsig', 'KILL', '--', 'ip', 'netns', 'exec', this.#namespace, command, ...args];
    const child = spawn('setpriv', words, { stdio: ['ignore', 'ignore', 'inherit'], ...options });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    return child;
  }

  /** Starts a program that serves TCP at a port of all its addresses, or of one, and waits until it listens. */
  async serve(
    port: number,
    command: string,
    args: readonly string[],
    options: SpawnOptions = {},
  ): Promise<ChildProcess> {
    const child = this.start(command, args, options);
    await this.#until(`${command} on ${this.name}`, () => this.#listens(port), child);
    return child;
  }

  /** Ends a program as a power cut would. */
  async kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [...this.#running].toReversed()) await this.kill(child);
    execFileSync('ip', ['netns', 'delete', this.#namespace], { stdio: 'ignore' });
  }

  #hasCarrier(): boolean {
    const text = execFileSync('ip', ['-n', this.#namespace, '-br', 'link', 'show', CARD], { encoding: 'utf8' });
    return text.includes('LOWER_UP');
  }

  #listens(port: number): boolean {
    const words = ['netns', 'exec', this.#namespace, 'ss', '-Hltn', `sport = :${port}`];
    return execFileSync('ip', words, { encoding: 'utf8' }).trim() !== '';
  }

  async #until(what: string, isTrue: () => boolean, child: ChildProcess): Promise<void> {
    const deadline = performance.now() + LISTENS_MS;
    while (!isTrue()) {
      if (child.exitCode !== null) throw new Error(`${what}: it ended with ${child.exitCode}`);
      if (performance.now() > deadline) throw new Error(`${what}: not within ${LISTENS_MS / 1000} s`);
      await sleep(50);
    }
  }
}
