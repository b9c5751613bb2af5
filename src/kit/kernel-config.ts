import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { basename, join } from 'node:path';
import { getAsset, getAssetKeys, isSea } from 'node:sea';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { tooOld } from '../linux/kernel-version.ts';
import { type Command, UsageError } from './command.ts';

/** An option VIVER wants a kernel to have. */
export interface Requirement {
  readonly option: string;
  /** `y`: built in; `m`: built in or as a module. */
  readonly value: 'y' | 'm';
  readonly reason: string;
  /** Sets of options each of which, all of it built in, serves as well. */
  readonly instead: readonly (readonly string[])[];
}

export interface Fragment {
  /** File name without `.config`. */
  readonly name: string;
  readonly requirements: readonly Requirement[];
}

export interface Checked extends Requirement {
  readonly found: 'ok' | 'module' | 'missing';
  /** The other options that serve in its place. */
  readonly by?: readonly string[];
}

/** The fragment without which there is no boot; the others drive one kind of hardware each. */
const REQUIRED = 'required';
/** A fragment of this name counts for kernels of that architecture only. */
const ARCHITECTURES = ['x86', 'arm64'];

/** `or CONFIG_A and CONFIG_B`: what serves as well, as one alternative. */
function parseInstead(comment: string): readonly (readonly string[])[] | undefined {
  const options = /^or (CONFIG_[A-Z0-9_]+(?: and CONFIG_[A-Z0-9_]+)*)$/.exec(comment)?.[1];
  return options === undefined ? undefined : [options.split(' and ')];
}

/**
 * A fragment: `CONFIG_NAME=y` or `=m`, the comment lines right above it being its reason; an empty line ends a comment. A
 * comment line `or CONFIG_OTHER` (`and CONFIG_THIRD`) names what serves as well.
 * @throws Error naming the line that is no option, or the option without a reason
 */
export function parseFragment(text: string, name: string): Fragment {
  const requirements: Requirement[] = [];
  let comment: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('#')) {
      comment.push(line.slice(1).trim());
      continue;
    }
    if (line !== '') {
      const [, option, value] = /^(CONFIG_[A-Z0-9_]+)=([ym])$/.exec(line) ?? [];
      if (option === undefined || (value !== 'y' && value !== 'm')) {
        throw new Error(`${name}.config:${index + 1}: not CONFIG_NAME=y or =m: '${line}'`);
      }
      if (comment.length === 0) throw new Error(`${name}.config:${index + 1}: ${option} has no reason above it`);
      const instead = comment.flatMap((row) => parseInstead(row) ?? []);
      const reason = comment.filter((row) => parseInstead(row) === undefined).join(' ');
      requirements.push({ option, value, reason, instead });
    }
    comment = [];
  }
  return { name, requirements };
}

/** A kernel's own configuration: option → `y`, `m` or a value; what is not set is not in it. */
export function parseKernelConfig(text: string): {
  readonly options: ReadonlyMap<string, string>;
  readonly architecture?: string;
  /** As its head has it: `6.1.0`. */
  readonly release?: string;
} {
  const options = new Map<string, string>();
  for (const match of text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)) options.set(match[1] ?? '', match[2] ?? '');
  const [, architecture, release] = /^# Linux\/(\w+) (\S+) /m.exec(text) ?? [];
  return architecture === undefined || release === undefined ? { options } : { options, architecture, release };
}

/** What of a fragment the kernel has. An option that must be built in and is a module counts as missing. */
export function checkFragment(fragment: Fragment, options: ReadonlyMap<string, string>): Checked[] {
  return fragment.requirements.map((requirement) => {
    const has = options.get(requirement.option);
    const found = has === 'y' ? 'ok' : has === 'm' && requirement.value === 'm' ? 'module' : 'missing';
    const by = requirement.instead.find((others) => others.every((option) => options.get(option) === 'y'));
    return found === 'missing' && by !== undefined ? { ...requirement, found: 'ok', by } : { ...requirement, found };
  });
}

/** Fragments of the source tree, or those the build put into the executable. */
function readFragments(): Fragment[] {
  if (isSea()) {
    const keys = getAssetKeys().filter((key) => /^kernel-config\/.*\.config$/.test(key));
    return keys.map((key) => parseFragment(getAsset(key, 'utf8'), basename(key, '.config')));
  }
  const directory = join(import.meta.dirname, '../../kernel-config');
  const names = readdirSync(directory).filter((name) => name.endsWith('.config'));
  return names.map((name) => parseFragment(readFileSync(join(directory, name), 'utf8'), basename(name, '.config')));
}

function readKernelConfig(path: string): string {
  const bytes = readFileSync(path);
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return (isGzip ? gunzipSync(bytes, { maxOutputLength: 64 * 1024 * 1024 }) : bytes).toString('latin1');
}

function defaultConfig(): string {
  const version = release();
  const places = ['/proc/config.gz', `/boot/config-${version}`, `/lib/modules/${version}/config`];
  const found = places.find((path) => existsSync(path));
  if (found === undefined)
    throw new Error(`no configuration of kernel ${version}: none of ${places.join(', ')} is there; give --config`);
  return found;
}

/** The report, and whether the kernel boots VIVER. */
export function reportKernelConfig(
  text: string,
  fragments: readonly Fragment[],
): { readonly report: string; readonly boots: boolean } {
  const { options, architecture, release } = parseKernelConfig(text);
  const lines: string[] = [];
  const lacking: string[] = [];
  const without: string[] = [];
  for (const fragment of fragments.toSorted((a, b) => Number(b.name === REQUIRED) - Number(a.name === REQUIRED))) {
    if (ARCHITECTURES.includes(fragment.name) && fragment.name !== architecture) continue;
    for (const { option, found, value, reason, by } of checkFragment(fragment, options)) {
      const must =
        found === 'missing' && options.get(option) === 'm' && value === 'y' ? ' (a module, must be built in)' : '';
      const served = by === undefined ? '' : ` (by ${by.join(' and ')})`;
      lines.push(`${found.padEnd(7)} ${option}${must}${served}: ${reason}`);
      if (found === 'missing') (fragment.name === REQUIRED ? lacking : without).push(option);
    }
  }
  if (without.length > 0) lines.push(`boots, but not from everything: ${without.join(', ')}`);
  if (lacking.length > 0) lines.push(`does not boot: ${lacking.join(', ')}`);
  const why = release === undefined ? undefined : tooOld(release);
  if (why !== undefined) lines.push(`does not boot: ${why}`);
  return { report: `${lines.join('\n')}\n`, boots: lacking.length === 0 && why === undefined };
}

export const kernelConfig: Command = {
  name: 'kernel-config',
  summary: 'whether a kernel has what VIVER needs, option by option',
  usage: `usage: viver kernel-config [--config FILE]

Prints ok (built in), module or missing for each option VIVER wants, with the reason; fails if it cannot boot without.
  --config FILE  a kernel's configuration, also gzip-compressed: /boot/config-VERSION, /proc/config.gz;
                 that of the running kernel unless given
`,
  async run(args) {
    let config: string | undefined;
    try {
      config = parseArgs({ args: [...args], options: { config: { type: 'string' } } }).values.config;
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message : String(error));
    }
    const path = config ?? defaultConfig();
    const text = readKernelConfig(path);
    if (!/^CONFIG_\w+=/m.test(text)) throw new Error(`${path} is no kernel configuration: it has no CONFIG_ line`);
    const { report, boots } = reportKernelConfig(text, readFragments());
    process.stdout.write(report);
    if (!boots) throw new Error(`the kernel of ${path} does not boot VIVER: the report's last lines say why`);
  },
};
