import { get } from 'node:http';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { printable } from '../codec/printable.ts';
import { describeError } from '../linux/describe-error.ts';
import { checkOverview, nameOf, type Overview, type ShownMachine } from '../runes/overview/overview.ts';
import { RATES_KEPT, type Rates } from '../runes/overview/rate-history.ts';
import { HTTP_PORT } from '../runes/places.ts';
import { describeRoll, type RollView } from '../runes/roll/view.ts';
import { type Command, UsageError } from './command.ts';

const EVERY_MS = 2000;
const ANSWER_MS = 8000;
const LARGEST_ANSWER = 128 << 20;
const STRIP_COLUMNS = 16;
const RATE_COLUMNS = 12;
/** Bytes per second that fill a chart at least. */
const LEAST_SCALE = 1e5;

export const status: Command = {
  name: 'status',
  summary: 'all machines: where each is in its boot, role, version, what it holds and moves, and what is wrong',
  usage: `usage: viver status [--json | --watch] [--host ADDRESS[:PORT]]

Asks this machine's own web server, which asks the others. The same as a page: http://ADDRESS:${HTTP_PORT}/
  --json   one object: version, machines (this one first), those that are still loading, what is wrong in words; bytes,
           seconds, counts (src/runes/overview/overview.ts)
  --watch  again every two seconds, until a signal
  --host   asks another machine
`,
  async run(args, signal) {
    const values = parseOptions(args);
    const hosts = values.host === undefined ? ownHosts() : [parseHost(values.host)];
    if (values.watch !== true) {
      const overview = await ask(hosts);
      process.stdout.write(values.json === true ? `${JSON.stringify(overview)}\n` : describeOverview(overview));
      return;
    }
    const clear = process.stdout.isTTY ? '\x1b[H\x1b[J' : '';
    while (!signal.aborted) {
      // A machine that restarts its plugins answers again in a moment.
      const text = await ask(hosts).then(describeOverview, (error: unknown) => `${printable(describeError(error))}\n`);
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
async function ask(hosts: readonly Host[]): Promise<Overview> {
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

function fetchMachines({ host, port }: Host): Promise<Overview> {
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
          resolve(checkOverview(JSON.parse(Buffer.concat(parts).toString())));
        } catch (error) {
          reject(error);
        }
      });
    });
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

/** `▁▂▃▄▅▆▇█` for the last rates, in and out together, each group of them one column. */
export function drawRates(rates: Rates | null, columns = RATE_COLUMNS): string {
  if (rates === null) return '';
  const both = rates.in.map((rate, i) => rate + (rates.out[i] ?? 0));
  const most = Math.max(LEAST_SCALE, ...both);
  const size = Math.max(1, Math.ceil(RATES_KEPT / columns));
  const groups: number[] = [];
  for (let end = both.length; end > 0; end -= size)
    groups.unshift(Math.max(...both.slice(Math.max(0, end - size), end)));
  return groups
    .map((rate) => BLOCKS[Math.min(BLOCKS.length - 1, Math.round((rate / most) * (BLOCKS.length - 1)))])
    .join('');
}

const BLOCKS = [...' ▁▂▃▄▅▆▇█'];

function rowOf(machine: ShownMachine): readonly string[] {
  const { address, says, status } = machine;
  if (status === null) return [nameOf(machine), address, '', '', says];
  const { role, booted, field, strip, boot, viver, rates } = status;
  const now = (values: readonly number[] | undefined) => megabytes(values?.at(-1) ?? 0);
  return [
    nameOf(machine),
    address,
    role,
    viver ?? 'older',
    says,
    `${booted}${boot === null ? '' : ` ${boot.seconds.toFixed(1)} s`}`,
    field === null ? '–' : `${field.node.held}/${field.image.chunks}`,
    strip === null ? '' : drawStrip(strip.held),
    rates === null ? '' : `${now(rates.in)}/s in, ${now(rates.out)}/s out`,
    drawRates(rates),
  ];
}

const HEAD = [
  ...['machine', 'address', 'role', 'VIVER', 'is', 'booted from'],
  ...['chunks', 'holds', 'now', 'five minutes'],
];

/** Each roll-out once: the newest version, by the machine that sent most others to it. */
function rollsOf(machines: readonly ShownMachine[]): readonly RollView[] {
  const sent = ({ healthy, booting, failed }: RollView) => healthy + booting + failed.length;
  const newest = new Map<string, RollView>();
  for (const roll of machines.flatMap(({ state, status }) => (state === 'up' ? (status?.rolls ?? []) : []))) {
    const known = newest.get(roll.name);
    const isNewer = known === undefined || roll.version > known.version;
    if (isNewer || (roll.version === known.version && sent(roll) > sent(known))) newest.set(roll.name, roll);
  }
  return [...newest.values()];
}

/** A table of all machines, those still loading, the field, and what is wrong: the same words as the page's. */
export function describeOverview({ machines, loading, more, troubles }: Overview): string {
  const rows = [HEAD, ...machines.map((machine) => rowOf(machine).map(printable))];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const field = machines[0]?.status?.field ?? null;
  const image = machines[0]?.status?.image ?? null;
  const lines = [
    ...(image === null ? [] : [`image ${image.name}@${image.id?.slice(0, 12) ?? 'unindexed'}`]),
    ...table,
    ...(more > 0 ? [`and ${more} machines more`] : []),
    ...loading.map(
      ({ address, mac, says, seconds }) => `boots: ${address}${mac === null ? '' : ` (${mac})`} ${says} (${seconds} s)`,
    ),
    ...rollsOf(machines).map((roll) => `rolls out: ${describeRoll(roll)}`),
    field === null
      ? 'no field on this machine'
      : `every chunk is held ${field.redundancy.min} times at least, ${field.redundancy.mean} times in the mean`,
    ...(troubles.length === 0 ? ['nothing is wrong'] : troubles.map((text) => `! ${text}`)),
  ];
  return `${lines.map(printable).join('\n')}\n`;
}
