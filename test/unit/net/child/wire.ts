import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

export const ip = (...words: string[]) => execFileSync('ip', words, { encoding: 'utf8' });

export async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return;
    await setTimeout(10);
  }
  throw new Error(`waited in vain: ${what}`);
}

/** What is at the other end of a network card's cable: a network namespace. */
export interface FarEnd {
  readonly card: string;
  /** Runs a command there. */
  run(command: string): void;
  /** A DHCP server for NETWORK.50 to NETWORK.99 there, which plugs the card in; with `--port=53` names are served too. */
  serve(network: string, ...options: string[]): Promise<ChildProcess>;
}

/** Adds a network card whose cable ends in a namespace of its own, and is not plugged in there yet. */
export async function addCard(card: string): Promise<FarEnd> {
  const holder = spawn('unshare', ['--net', 'sleep', '60'], { stdio: 'ignore' });
  holder.unref();
  process.once('exit', () => holder.kill());
  const namespace = () => readlinkSync(`/proc/${holder.pid}/ns/net`);
  await until('a namespace', () => namespace() !== readlinkSync('/proc/self/ns/net'));
  const inside = ['-t', String(holder.pid), '-n'];
  ip('link', 'add', card, 'type', 'veth', 'peer', 'name', 'far', 'netns', String(holder.pid));
  const run = (command: string) => void execFileSync('nsenter', [...inside, 'sh', '-ec', command]);
  return {
    card,
    run,
    async serve(network, ...options) {
      run(`ip address add ${network}.1/24 dev far; ip link set far up`);
      const words = [
        '--keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --no-ping',
        '--dhcp-authoritative --leasefile-ro --pid-file= --interface=far --bind-dynamic',
        `--dhcp-range=${network}.50,${network}.99,255.255.255.0,2m`,
        // dnsmasq does not take it twice
        ...(options.some((option) => option.startsWith('--port=')) ? options : ['--port=0', ...options]),
      ];
      const server = spawn('nsenter', [...inside, 'dnsmasq', ...words.join(' ').split(' ')], { stdio: 'ignore' });
      process.once('exit', () => server.kill());
      return server;
    },
  };
}

export function plugIn(far: FarEnd): void {
  far.run('ip link set far up');
}

export function isUp(card: string): boolean {
  return /[<,]UP[,>]/.test(ip('link', 'show', card));
}

/** `10.1.0.57/24` */
export function addressesOf(card: string): string[] {
  return [...ip('-4', '-o', 'address', 'show', card).matchAll(/inet (\S+)/g)].flatMap(([, address]) => address ?? []);
}

/** The words of the command line of a process. */
export function commandLine(pid: number): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
}

/** The DHCP clients started by this process that run now. */
export function clients(): { pid: number; card: string | undefined }[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').map(Number);
  return children.flatMap((pid) => {
    const words = pid > 0 ? commandLine(pid) : [];
    return words[0] === '@/udhcpc' ? { pid, card: words[words.indexOf('-i') + 1] } : [];
  });
}
