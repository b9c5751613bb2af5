/** One timed run of what others do to bring a file to N machines at once, in the same lab of shaped links. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab, type LinkShape } from './lab.ts';
import { end, type RunResult, total } from './runs.ts';

export const RIVALS = ['nbd-server', 'nginx', 'aria2'] as const;
export type Rival = (typeof RIVALS)[number];

/** One server at host 0, and what each of the others runs. */
interface Arena {
  readonly lab: Lab;
  readonly image: string;
  readonly directory: string;
  readonly processes: ChildProcess[];
  /** How to find out the process ids of those that put themselves into the background. */
  readonly daemons: (() => number)[];
}

const QUIET = { stdio: 'ignore' } as const;

const SERVE: { readonly [R in Rival]: (arena: Arena) => void } = {
  'nbd-server': ({ lab, image, directory, daemons }) => {
    // Without daemonizing it serves one client and ends.
    const conf = join(directory, 'nbd-server.conf');
    const pid = join(directory, 'nbd-server.pid');
    const where = `listenaddr = ${lab.address(0)}\nport = 10809`;
    writeFileSync(conf, `[generic]\n${where}\n[image]\nexportname = ${image}\nreadonly = true\n`);
    execFileSync('ip', ['netns', 'exec', lab.namespace(0), 'nbd-server', '-C', conf, '-p', pid], { stdio: 'ignore' });
    daemons.push(() => Number(readFileSync(pid, 'utf8')));
  },
  nginx: ({ lab, image, directory, processes }) => {
    const conf = join(directory, 'nginx.conf');
    const place = image.slice(0, image.lastIndexOf('/'));
    writeFileSync(
      conf,
      `daemon off; user root; pid ${directory}/pid; error_log /dev/null; events {}
      http { access_log off; sendfile on; server { listen ${lab.address(0)}:80; root ${place}; } }`,
    );
    processes.push(lab.spawn(0, 'nginx', ['-c', conf], QUIET));
  },
  aria2: ({ lab, image, directory, processes }) => {
    writeFileSync(join(directory, 'i.torrent'), torrentOf(image, `http://${lab.address(0)}:6969/announce`));
    const tracker = [join(import.meta.dirname, 'tracker.ts'), lab.address(0), '6969'];
    processes.push(lab.spawn(0, process.execPath, tracker, QUIET));
    const place = image.slice(0, image.lastIndexOf('/'));
    const words = [...ARIA2, '--seed-ratio=0.0', '--check-integrity=true', `--dir=${place}`, `${directory}/i.torrent`];
    processes.push(lab.spawn(0, 'aria2c', words, QUIET));
  },
};

const ARIA2 = ['--quiet', '--enable-dht=false', '--bt-enable-lpd=true', '--bt-max-peers=0', '--file-allocation=none'];

/** The client at a host; it ends when it has everything (aria2 says so by a hook, and goes on giving). */
const FETCH: { readonly [R in Rival]: (arena: Arena, host: number) => ChildProcess } = {
  'nbd-server': ({ lab }, host) =>
    lab.spawn(host, 'nbdcopy', ['--no-extents', `nbd://${lab.address(0)}:10809/image`, 'null:'], QUIET),
  nginx: ({ lab, image }, host) => {
    const name = image.slice(image.lastIndexOf('/') + 1);
    return lab.spawn(host, 'curl', ['-s', '-o', '/dev/null', `http://${lab.address(0)}/${name}`], QUIET);
  },
  aria2: ({ lab, directory, processes }, host) => {
    const place = join(directory, `d${host}`);
    const done = join(directory, `done${host}`);
    const words = [...ARIA2, '--seed-ratio=0.0', `--dir=${place}`, `--on-bt-download-complete=${directory}/hook`];
    writeFileSync(
      join(directory, 'hook'),
      `#!/bin/sh\necho > ${directory}/done$(basename $(dirname "$3") | tr -d d)\n`,
      {
        mode: 0o755,
      },
    );
    processes.push(lab.spawn(host, 'aria2c', [...words, `${directory}/i.torrent`], QUIET));
    return spawn('sh', ['-c', `until [ -e ${done} ]; do sleep 0.05; done`], QUIET);
  },
};

/** @param windowSeconds instead of waiting for all, so long a window is looked at, and what is left is reckoned */
export async function runRival(
  rival: Rival,
  { image, nodes, shape, windowSeconds }: { image: string; nodes: number; shape: LinkShape; windowSeconds?: number },
): Promise<RunResult> {
  const directory = mkdtempSync(join(tmpdir(), 'vr-'));
  const lab = Lab.create(nodes + 1, shape);
  const processes: ChildProcess[] = [];
  const clients: ChildProcess[] = [];
  const daemons: (() => number)[] = [];
  const arena = { lab, image, directory, processes, daemons };
  try {
    SERVE[rival](arena);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const sentBefore = lab.sentBytes(0);
    const start = performance.now();
    const times: number[] = [];
    for (let host = 1; host <= nodes; host++) clients.push(FETCH[rival](arena, host));
    const all = Promise.all(
      clients.map(async (child) => {
        await once(child, 'exit');
        times.push((performance.now() - start) / 1000);
      }),
    );
    const window = new Promise((resolve) => setTimeout(resolve, (windowSeconds ?? 600) * 1000));
    await Promise.race([all, window]);
    const seconds = (performance.now() - start) / 1000;
    const size = statSync(image).size;
    const holderBytes = lab.sentBytes(0) - sentBefore;
    const living = [...processes, ...clients].filter(({ exitCode }) => exitCode === null);
    const usage = total([...living, ...daemons.map((pid) => ({ pid: pid() }))]);
    const isComplete = times.length === nodes;
    // All share one link alike: with the rate of the window the last one is done when all bytes are out.
    const lastSeconds = isComplete ? (times.at(-1) ?? 0) : (seconds * nodes * size) / (holderBytes * 0.945);
    return {
      nodes,
      lastSeconds,
      medianSeconds: isComplete ? (times[times.length >> 1] ?? 0) : lastSeconds,
      holderImages: (isComplete ? holderBytes : nodes * size) / size,
      cpuSeconds: usage.cpuSeconds,
      systemSeconds: usage.systemSeconds,
      peakMb: usage.peakMb,
      times,
    };
  } finally {
    for (const pid of daemons) process.kill(pid());
    await end([...clients, ...processes]);
    lab.destroy();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A .torrent file of one file (BEP 3). */
function torrentOf(path: string, announce: string): Buffer {
  const bytes = readFileSync(path);
  const piece = 256 << 10;
  const sums: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += piece) {
    sums.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + piece))
        .digest(),
    );
  }
  const text = (value: string): string => `${Buffer.byteLength(value)}:${value}`;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const pieces = Buffer.concat(sums);
  return Buffer.concat([
    Buffer.from(
      `d${text('announce')}${text(announce)}${text('info')}d${text('length')}i${bytes.length}e${text('name')}${text(name)}${text('piece length')}i${piece}e${text('pieces')}${pieces.length}:`,
    ),
    pieces,
    Buffer.from('ee'),
  ]);
}
