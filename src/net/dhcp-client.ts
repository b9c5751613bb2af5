import { spawn } from 'node:child_process';
import { type DhcpEvent, DhcpEventReader } from './dhcp-event.ts';

/** Asks every second; after 10 times without an answer once more, since a switch port may take 30 s to forward. */
const ASKING = ['-t', '10', '-T', '1', '-A', '1'];
/** What the server is asked for beside BusyBox' own list: mask, router, DNS, host name, domain, NTP, search, routes. */
const OPTIONS = ['search', 'staticroutes', 'ntpsrv', 'hostname', 'mtu'].flatMap((name) => ['-O', name]);
const VENDOR_CLASS = 'viver';

export interface DhcpClientOptions {
  readonly interfaceName: string;
  /** Sent to the server, for its names. */
  readonly hostname?: string;
  /** The hook of the initrd; see initrd/bin/dhcp-hook. */
  readonly hook: string;
  /** Where the hook keeps what it must know. The client stays in it, also when the mount it lies on is moved. */
  readonly directory: string;
  readonly busybox?: string;
  readonly onEvent: (event: DhcpEvent) => void;
  /** It ended without being told to. */
  readonly onEnd: (error: Error) => void;
}

export interface DhcpClient {
  readonly pid: number;
  /** Ends it; the lease is not given back. */
  stop(): void;
  /** Leaves it running for good: from now on its hook keeps the address by itself. */
  letGo(): void;
}

/**
 * Runs BusyBox udhcpc, in the foreground and in a session of its own. Its first argument begins with `@`, by which
 * systemd leaves it alone at shutdown; BusyBox takes what follows the slash as the applet's name.
 */
export function startDhcpClient(options: DhcpClientOptions): DhcpClient {
  const { interfaceName, hostname, hook, directory, busybox = '/bin/busybox', onEvent, onEnd } = options;
  const name = hostname === undefined ? [] : ['-x', `hostname:${hostname}`];
  const child = spawn(
    busybox,
    ['-f', '-i', interfaceName, '-s', hook, '-V', VENDOR_CLASS, ...ASKING, ...OPTIONS, ...name],
    {
      argv0: '@/udhcpc',
      cwd: directory,
      env: { PATH: '/bin:/sbin:/usr/bin:/usr/sbin' },
      // Standard error goes nowhere: it would break, and end the client, when this process becomes another.
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    },
  );
  let running = true;
  const end = (error: Error) => {
    if (running) onEnd(error);
    running = false;
  };
  const reader = new DhcpEventReader();
  child.stdout.on('data', (piece: Buffer) => {
    try {
      for (const event of reader.push(piece)) if (running) onEvent(event);
    } catch (error) {
      child.kill();
      end(error as Error);
    }
  });
  child.once('error', (cause) => end(new Error(`udhcpc on ${interfaceName} cannot be started`, { cause })));
  child.once('exit', (code, signal) => end(new Error(`udhcpc on ${interfaceName} ended with ${signal ?? code}`)));
  return {
    pid: child.pid ?? -1,
    stop() {
      running = false;
      child.kill();
      child.stdout.destroy();
    },
    letGo() {
      running = false;
      child.stdout.destroy();
      child.unref();
    },
  };
}
