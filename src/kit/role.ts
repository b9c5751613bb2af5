import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { KEPT_INITRAMFS } from '../root/switch.ts';
import { readFixedRole } from '../runes/engine/fixed-role.ts';
import { checkRolesFile, type LoadedRunes, loadRunes } from '../runes/engine/load.ts';
import { readMachine } from '../runes/machine.ts';
import { hashPassword } from '../runes/web/password.ts';
import { type Command, UsageError } from './command.ts';

export const role: Command = {
  name: 'role',
  summary: "this machine's role and what it is made of",
  usage: `usage: viver role [--explain] [--json]
       viver role check FILE
       viver role password

Prints the name of this machine's role. Nothing is started.
  --explain  why it has this role, its plugins in the order they start, what each does, needs and gives
  --json     the same as one object
  check FILE what is wrong with a roles file, line by line; status 1 when anything is
  password   reads a password from standard input and prints its hash, for menu-password and status-password
Roles come from /etc/RUNES/roles of the initrd or the image; viver.role= on the kernel command line overrides them.
`,
  async run(args) {
    if (args[0] === 'check') return check(args.slice(1));
    if (args[0] === 'password') return await password(args.slice(1));
    const values = parseOptions(args);
    const loaded = loadRunes({ machine: readMachine(), roots: [KEPT_INITRAMFS, ''], fixed: readFixedRole() });
    for (const problem of loaded.problems) process.stderr.write(`viver role: ${problem}\n`);
    if (values.json === true) process.stdout.write(`${JSON.stringify(explained(loaded))}\n`);
    else process.stdout.write(values.explain === true ? describeRole(loaded) : `${loaded.role.name}\n`);
  },
};

function check(args: readonly string[]): void {
  const [file, ...more] = args;
  if (file === undefined || more.length > 0) throw new UsageError('check takes one FILE');
  const problems = checkRolesFile(file, [KEPT_INITRAMFS, '']);
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  if (problems.length > 0)
    throw new Error(`${file}: ${problems.length === 1 ? '1 mistake' : `${problems.length} mistakes`}`);
}

/** The terminal shows what is typed: `viver role password < FILE`, or a terminal that nobody looks at. */
async function password(args: readonly string[]): Promise<void> {
  if (args.length > 0) throw new UsageError('password takes nothing: it reads standard input');
  if (process.stdin.isTTY) process.stderr.write('password (it is shown): ');
  const lines = createInterface({ input: process.stdin });
  const [line] = (await Promise.race([once(lines, 'line'), once(lines, 'close')])) as [string?];
  lines.close();
  if (line === undefined || line === '') throw new Error('viver role password: no password on standard input');
  process.stdout.write(`${await hashPassword(line)}\n`);
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: { explain: { type: 'boolean' }, json: { type: 'boolean' } } }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function explained({ role: chosen, why, graph }: LoadedRunes) {
  return {
    role: chosen.name,
    why,
    settings: chosen.settings,
    plugins: graph.order.map(({ name, summary, provides = [], requires = [], uses = [], prepare, start }) => ({
      name,
      summary,
      provides,
      requires,
      uses,
      asks: graph.asks.get(name) ?? [],
      moments: [...(prepare === undefined ? [] : ['before the switch']), ...(start === undefined ? [] : ['after it'])],
    })),
  };
}

/** The graph as text: a plugin a paragraph, in the order they start. */
export function describeRole(loaded: LoadedRunes): string {
  const { role: name, why, settings, plugins } = explained(loaded);
  const paragraphs = plugins.flatMap(({ name: plugin, summary, provides, requires, uses, moments }, i) => [
    `${i + 1}. ${plugin} (${moments.join(' and ')}): ${summary}`,
    ...(provides.length === 0 ? [] : [`   gives ${provides.join(', ')}`]),
    ...(requires.length === 0 ? [] : [`   needs ${requires.map((one) => from(one, loaded)).join(', ')}`]),
    ...(uses.length === 0 ? [] : [`   asks where there ${uses.map((one) => from(one, loaded)).join(', ')}`]),
  ]);
  const words = settings.words.length === 0 ? [] : [`words: ${settings.words.join(' ')}`];
  return `${[`role ${name}: ${why}`, ...words, ...paragraphs].join('\n')}\n`;
}

function from(wanted: string, { graph }: LoadedRunes): string {
  const provider = graph.providers.get(wanted);
  return provider === undefined
    ? `${wanted} (nobody gives it)`
    : provider === wanted
      ? wanted
      : `${wanted} (${provider})`;
}
