import { get } from 'node:http';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { printable } from '../codec/printable.ts';
import { describeError } from '../linux/describe-error.ts';
import { checkMachineStatus, type MachineStatus } from '../runes/machine-status.ts';
import { HTTP_PORT } from '../runes/places.ts';
import { type Command, UsageError } from './command.ts';

const EVERY_MS = 2000;
const ANSWER_MS = 8000;
const LARGEST_ANSWER = 256 << 20;
const STRIP_COLUMNS = 32;

export const status: Command = {
  name: 'status',
  summary: 'the machines that share the image: roles, who holds how much, redundancy, traffic',
  usage: `usage: viver status [--json | --watch] [--host ADDRESS[:PORT]]

Asks this machine's own web server, which asks the others. The same as a page: http://ADDRESS:${HTTP_PORT}/
  --json   a list with one object for each machine, this one first; bytes, seconds, counts
  --watch  again every two seconds, until a signal
  --host   asks another machine
`,
  async run(args, signal) {
    const values = parseOptions(args);
    const hosts = values.host === undefined ? ownHosts() : [parseHost(values.host)];
    if (values.watch !== true) {
      const machines = await ask(hosts);
      process.stdout.write(values.json === true ? `${JSON.stringify(machines)}\n` : describeMachines(machines));
      return;
    }
    const clear = process.stdout.isTTY ? '\x1b[H\x1b[J' : '';
    while (!signal.aborted) {
      // A machine that restarts its plugins answers again in a moment.
      const text = await ask(hosts).then(describeMachines, (error: unknown) => `${describeError(error)}\n`);
      process.stdout.write(`${clear}${text}\n`);
      await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined); // a signal ends the watching
    }
  },
};

function parseOptions(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { json: { type: 'boolean' }, watch: { type: 'boolean' }, host: { type: 'string' } },
    });
    if (values.json === true && values.watch === true) throw new Error('--json and --watch exclude each other');
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

interface Host {
  readonly host: string;
  readonly port: number;
}

function parseHost(text: string): Host {
  const found = /^([A-Za-z0-9.-]+)(?::(\d{1,5}))?$/.exec(text);
  if (found === null) throw new UsageError(`--host: '${text}' is no ADDRESS[:PORT]`);
  return { host: found[1] ?? '', port: Number(found[2] ?? HTTP_PORT) };
}

function ownHosts(): readonly Host[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => ({ host: address, port: HTTP_PORT }));
}

/** The first that answers. @throws Error that says why none did */
async function ask(hosts: readonly Host[]): Promise<readonly MachineStatus[]> {
  let failure: unknown = new Error('this machine has no address');
  for (const host of hosts) {
    try {
      return await fetchMachines(host);
    } catch (error) {
      failure = error;
    }
  }
  throw new Error("no answer from this machine's plugins (does `viver runes` run? its role: viver role --explain)", {
    cause: failure,
  });
}

function fetchMachines({ host, port }: Host): Promise<readonly MachineStatus[]> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const request = get({ host, port, path: '/machines.json', agent: false, signal });
    request.once('error', reject);
    request.once('response', (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('error', reject);
      response.on('data', (part: Buffer) => {
        parts.push(part);
        size += part.length;
        if (size > LARGEST_ANSWER) request.destroy(new Error('an answer without end'));
      });
      response.once('end', () => {
        try {
          if (response.statusCode !== 200) throw new Error(`${host}:${port} answers ${response.statusCode}`);
          resolve(parseMachines(Buffer.concat(parts).toString(), toStandardError));
        } catch (error) {
          reject(error);
        }
      });
    });
  });
}

function toStandardError(line: string): void {
  process.stderr.write(`viver status: ${line}\n`);
}

/**
 * The list of all machines. One whose status is odd is left out, and nobody else's.
 * @throws Error when it is no list
 */
export function parseMachines(text: string, tell: (line: string) => void): readonly MachineStatus[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) throw new Error('no list of machines');
  return list.flatMap((one: unknown) => {
    try {
      return [checkMachineStatus(one)];
    } catch (error) {
      tell(`a machine is left out: ${printable(describeError(error))}`);
      return [];
    }
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/** `█` for what is held, `░` for nothing, `▒` and `▓` for parts of it. */
export function drawStrip(held: string, columns = STRIP_COLUMNS): string {
  if (held === '') return '';
  return Array.from({ length: columns }, (_, column) => {
    const start = Math.floor((column * held.length) / columns);
    const end = Math.max(start + 1, Math.floor(((column + 1) * held.length) / columns));
    const digits = [...held.slice(start, end)].map(Number);
    const mean = digits.reduce((sum, digit) => sum + digit, 0) / digits.length;
    return mean === 9 ? '█' : mean === 0 ? '░' : mean < 4.5 ? '▒' : '▓';
  }).join('');
}

function rowOf({ hostname, address, role, booted, dhcp, field, strip, boot }: MachineStatus): readonly string[] {
  const serves = dhcp === null || dhcp.mode === 'standby' ? '' : `, ${dhcp.mode} DHCP`;
  return [
    hostname,
    address,
    `${role}${serves}`,
    `${booted}${boot === null ? '' : ` ${boot.seconds.toFixed(1)} s`}`,
    field === null ? '–' : `${field.node.held}/${field.image.chunks}`,
    field === null ? '–' : megabytes(field.traffic.fromPeers),
    field === null ? '–' : megabytes(field.traffic.toPeers),
    strip === null ? '' : drawStrip(strip.held),
  ];
}

const HEAD = ['machine', 'address', 'role', 'booted from', 'chunks', 'from peers', 'to peers', 'holds'];

/** The table, and the field in a line below. */
export function describeMachines(machines: readonly MachineStatus[]): string {
  const rows = [HEAD, ...machines.map((machine) => rowOf(machine).map(printable))];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const field = machines[0]?.field;
  const image = machines[0]?.image;
  const first =
    image === null || image === undefined ? [] : [`image ${image.name}@${image.id?.slice(0, 12) ?? 'unindexed'}`];
  const last =
    field === null || field === undefined
      ? ['no field on this machine']
      : [`every chunk is held ${field.redundancy.min} times at least, ${field.redundancy.mean} times in the mean`];
  const troubles = machines.flatMap(({ hostname, plugins }) =>
    plugins
      .filter(({ state }) => state === 'failed' || state === 'waiting')
      .map(({ name, state, why }) => `${hostname}: plugin ${name} ${state}${why === undefined ? '' : `: ${why}`}`),
  );
  return `${[...first, ...table, ...last, ...troubles].map(printable).join('\n')}\n`;
}
