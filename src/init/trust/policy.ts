/**
 * What the initrd itself says of every boot from it, in etc/viver/policy: above the command line, which anyone at the
 * keyboard can change. A rule a line; what follows `#` is a comment:
 *
 *     require signature     only images signed by a key in etc/viver/keys boot
 *     forbid prompt         no rescue prompt: a boot that fails reboots
 *     forbid weakening      the words of WEAKENING are not obeyed
 *     forbid words NAME …   nor these; NAME* is all that begin so, * all
 *     allow words NAME …    but these are, whatever is forbidden
 *     fix WORD[=VALUE]      this word always, and none of the same name
 *
 * Where anything is forbidden, words with quotes, backslashes or other than printable ASCII are refused too, and no
 * word of the command line becomes a variable of init's environment; `allow` excepts from both.
 * Pure: text in, values out.
 */
import { splitCommandLine } from '../../hardware/modprobe-config.ts';

export const POLICY_FILE = '/etc/viver/policy';

export interface Policy {
  readonly signature: boolean;
  readonly prompt: 'allowed' | 'forbidden';
  /** Names of words, or `NAME*`. */
  readonly forbidden: readonly string[];
  readonly allowed: readonly string[];
  /** Whole words. */
  readonly fixed: readonly string[];
}

export const NO_POLICY: Policy = { signature: false, prompt: 'allowed', forbidden: [], allowed: [], fixed: [] };

/** Words by which a person at the keyboard would get another system than the one that was meant. */
export const WEAKENING: readonly { readonly words: readonly string[]; readonly reason: string }[] = [
  { words: ['init'], reason: "another program than the image's init" },
  { words: ['viver.break', 'viver.rescue'], reason: 'a shell before the image' },
  { words: ['viver.verify'], reason: 'an image that is checked less' },
  { words: ['viver.cow'], reason: "a stranger's disk with other files over the image's" },
  { words: ['viver.modules.blacklist', 'modprobe.blacklist'], reason: 'a system without its drivers' },
  { words: ['systemd.*', 'rd.*'], reason: "other units, programs or a shell by the image's systemd" },
  { words: ['single', 's', 'S', '1', 'emergency', 'rescue', '-b'], reason: 'a run level without logins' },
];

/** The words that lead to a prompt. */
const PROMPT_WORDS = ['viver.break', 'viver.rescue'];

const PATTERN = /^(\*|[A-Za-z0-9_.-]{1,64}\*?)$/;
const LONGEST_LINE = 4096;

/**
 * A word that everybody who reads the command line takes for the same: the kernel, systemd and shell scripts differ
 * in what they make of quotes, backslashes and other blanks, and what hides a word from one shows it to another.
 */
const PLAIN = /^[!#-&(-[\]-~]+$/;

/**
 * Parses a policy.
 * @throws Error naming the line and what is wrong with it: a policy that is half understood is none
 */
export function parsePolicy(text: string): Policy {
  const policy = { signature: false, prompt: 'allowed' as Policy['prompt'] };
  const forbidden: string[] = [];
  const allowed: string[] = [];
  const fixed: string[] = [];
  for (const [row, line] of text.split('\n').entries()) {
    const wrong = (why: string) => new Error(`line ${row + 1}: ${why}`);
    if (line.length > LONGEST_LINE) throw wrong(`longer than ${LONGEST_LINE} characters`);
    const [verb, ...words] = splitCommandLine(line.replace(/(^|\s)#.*$/, ''));
    if (verb === undefined) continue;
    const first = words[0];
    if (first === undefined) throw wrong(`'${verb}' wants something after it`);
    const names = words.slice(1);
    const hasNames = first === 'words' && names.length > 0;
    for (const name of names) if (!PATTERN.test(name)) throw wrong(`'${name}' is no name of a word`);
    if (verb === 'require') {
      if (first !== 'signature' || names.length > 0) throw wrong("'require' knows only signature");
      policy.signature = true;
    } else if (verb === 'forbid' && hasNames) {
      forbidden.push(...names);
    } else if (verb === 'forbid') {
      if ((first !== 'prompt' && first !== 'weakening') || names.length > 0)
        throw wrong("'forbid' takes prompt, weakening, or words and their names");
      if (first === 'prompt') policy.prompt = 'forbidden';
      forbidden.push(...(first === 'prompt' ? PROMPT_WORDS : weakening()));
    } else if (verb === 'allow') {
      if (!hasNames) throw wrong("'allow' takes words and their names");
      allowed.push(...names);
    } else if (verb === 'fix') {
      if (names.length > 0) throw wrong("'fix' takes one word");
      if (!PLAIN.test(first) || first.startsWith('--')) throw wrong(`'${first}' is no word`);
      if (fixed.some((other) => nameOf(other) === nameOf(first))) throw wrong(`'${nameOf(first)}' is fixed already`);
      fixed.push(first);
    } else {
      throw wrong(`'${verb}' is not one of require, forbid, allow, fix`);
    }
  }
  return { ...policy, forbidden, allowed, fixed };
}

const weakening = (): readonly string[] => WEAKENING.flatMap(({ words }) => words);

export function nameOf(word: string): string {
  const bare = word.replaceAll('"', '');
  const equals = bare.indexOf('=');
  return equals < 0 ? bare : bare.slice(0, equals);
}

/** A quote that is never closed would take the words behind it along. */
function closed(word: string): string {
  return word.split('"').length % 2 === 0 ? `${word}"` : word;
}

export function fits(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name));
}

export interface AppliedPolicy {
  /** The command line that counts. */
  readonly commandLine: string;
  /** Words that were not obeyed. */
  readonly refused: readonly string[];
}

/** The command line as the policy leaves it: what is forbidden goes, what is fixed stands in the place of its like. */
export function applyPolicy(policy: Policy, commandLine: string): AppliedPolicy {
  const words = splitCommandLine(commandLine.trim());
  const fixedNames = policy.fixed.map(nameOf);
  const isKept = (word: string): boolean => {
    const name = nameOf(word);
    if (fixedNames.includes(name)) return false; // what is fixed is put in below
    if (fits(name, policy.allowed) || policy.forbidden.length === 0) return true;
    return PLAIN.test(word) && !fits(name, policy.forbidden);
  };
  const refused = words.filter((word) => word !== '--' && !policy.fixed.includes(word) && !isKept(word));
  if (refused.length === 0 && policy.fixed.length === 0) return { commandLine: commandLine.trim(), refused };
  const end = words.includes('--') ? words.indexOf('--') : words.length;
  // What follows the two hyphens is the init's, and a word all the same.
  const inits = words
    .slice(end + 1)
    .filter(isKept)
    .map(closed);
  const line = [
    ...words.slice(0, end).filter(isKept).map(closed),
    ...policy.fixed,
    ...(inits.length === 0 ? [] : ['--', ...inits]),
  ];
  return { commandLine: line.join(' '), refused };
}
