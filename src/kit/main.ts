import { describeError } from '../linux/describe-error.ts';
import { VERSION } from '../runes/version.ts';
import { chunk } from './chunk.ts';
import { type Command, UsageError } from './command.ts';
import { explain } from './explain.ts';
import { field } from './field.ts';
import { image } from './image.ts';
import { initrd } from './initrd.ts';
import { iso } from './iso.ts';
import { javascript } from './javascript.ts';
import { kernelConfig } from './kernel-config.ts';
import { profile } from './profile.ts';
import { release } from './release.ts';
import { role } from './role.ts';
import { roll } from './roll.ts';
import { runes } from './runes.ts';
import { shutdown } from './shutdown.ts';
import { status } from './status.ts';
import { stick } from './stick.ts';

/** The one table: help, manual pages (kit/manual/) and completion are made of it. */
export const COMMANDS: readonly Command[] = [
  image,
  initrd,
  iso,
  stick,
  chunk,
  release,
  roll,
  field,
  profile,
  status,
  role,
  runes,
  explain,
  kernelConfig,
  javascript,
  shutdown,
];

function help(): string {
  const width = Math.max(...COMMANDS.map((command) => command.name.length), 4);
  const rows = COMMANDS.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`);
  return [
    'usage: viver COMMAND …',
    '',
    ...rows,
    `  ${'help'.padEnd(width)}  this text, or help COMMAND`,
    `  ${'--version'.padEnd(width)}  this VIVER's version`,
    '',
  ].join('\n');
}

/**
 * `viver … | head -1` has what it wanted: the command ends without a word. Without this, Node would throw the error that
 * the next write finds (it ignores SIGPIPE), with a stack trace. When who read the errors has gone, the work goes on: a stick
 * half written is not done.
 */
export function endWithReader(
  output: Pick<NodeJS.WriteStream, 'on'>,
  errors: Pick<NodeJS.WriteStream, 'on'>,
  exit: (code: number) => void,
): void {
  for (const stream of [output, errors]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      if (stream === output) exit(0);
    });
  }
}

/**
 * Runs `viver ARGS…`.
 * @returns the exit code: 0 done, 1 failed with one clear line, 2 wrong usage
 */
export async function runCommand(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version') {
    process.stdout.write(`viver ${VERSION}\n`);
    return 0;
  }
  const wantsHelp = name === undefined || name === 'help' || name === '--help' || name === '-h';
  const wanted = wantsHelp ? rest[0] : name;
  const command = COMMANDS.find((candidate) => candidate.name === wanted);
  if (wanted !== undefined && command === undefined) {
    process.stderr.write(`viver: unknown command '${wanted}'\n${help()}`);
    return 2;
  }
  if (command === undefined) {
    (name === undefined ? process.stderr : process.stdout).write(help());
    return name === undefined ? 2 : 0;
  }
  if (wantsHelp || rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(command.usage);
    return 0;
  }
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => stop.abort(new Error(`ended by ${signal}`));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal);
  try {
    await command.run(rest, stop.signal);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`viver ${command.name}: ${error.message}\n${command.usage}`);
      return 2;
    }
    process.stderr.write(`viver ${command.name}: ${describeError(error)}\n`);
    if (process.env.VIVER_DEBUG !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    return 1;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
  }
}
