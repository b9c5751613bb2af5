import { BlockList, isIPv4 } from 'node:net';
import type { Machine } from '../machine.ts';
import { NO_SETTINGS, type RoleSettings, SETTING_KEYS, SettingsReader } from './role-settings.ts';

/** Which machines have a role: one of the patterns must fit. */
export type MachinePattern =
  | { readonly kind: 'mac' | 'host'; readonly pattern: string }
  | { readonly kind: 'address'; readonly network: string; readonly prefixLength: number }
  | { readonly kind: 'booted'; readonly from: Machine['booted'] }
  | { readonly kind: 'any' };

export interface Role {
  readonly name: string;
  /** `basic` stands for all the basic ones; a name with `-` before it is left out again. */
  readonly plugins: readonly string[];
  readonly machines: readonly MachinePattern[];
  readonly settings: RoleSettings;
}

/** A line of a roles file that cannot be understood. */
export class RolesError extends Error {
  override readonly name = 'RolesError';
}

/** Without any file: who was booted from a medium boots the others. Both can do all; a node waits to be needed. */
export const DEFAULT_ROLES: readonly Role[] = [
  { name: 'boot-server', plugins: ['basic'], machines: [{ kind: 'booted', from: 'medium' }], settings: NO_SETTINGS },
  { name: 'node', plugins: ['basic'], machines: [{ kind: 'any' }], settings: NO_SETTINGS },
];

function parseAddressPattern(value: string): MachinePattern | undefined {
  const [network = '', length = '32'] = value.split('/');
  if (!isIPv4(network) || !/^\d{1,2}$/.test(length) || Number(length) > 32) return undefined;
  return { kind: 'address', network, prefixLength: Number(length) };
}

function parsePattern(word: string): MachinePattern | undefined {
  if (word === 'any') return { kind: 'any' };
  const colon = word.indexOf(':');
  const value = word.slice(colon + 1).toLowerCase();
  switch (colon < 0 || value === '' ? '' : word.slice(0, colon)) {
    case 'mac':
      return /^[0-9a-f:*?-]+$/.test(value) ? { kind: 'mac', pattern: value.replaceAll('-', ':') } : undefined;
    case 'host':
      return /^[a-z0-9.*?-]+$/.test(value) ? { kind: 'host', pattern: value } : undefined;
    case 'address':
      return parseAddressPattern(value);
    case 'booted':
      return value === 'medium' || value === 'network' ? { kind: 'booted', from: value } : undefined;
    default:
      return undefined;
  }
}

/** What a roles file says, and what is wrong with it. */
export interface RolesFile {
  /** Those without a mistake. */
  readonly roles: readonly Role[];
  /** Each names file and line. */
  readonly problems: readonly string[];
}

/** A role with the lines that what it says stands in. */
export interface RoleDraft {
  readonly name: string;
  readonly line: number;
  readonly plugins: { readonly name: string; readonly line: number }[];
  readonly machines: MachinePattern[];
  readonly settings: SettingsReader;
  isBroken: boolean;
}

export interface LineProblem {
  readonly line: number;
  readonly what: string;
}

/**
 * The text of /etc/RUNES/roles:
 *
 *     # a comment
 *     role log-host
 *       plugins basic log-sink -x11
 *       machines mac:52:54:00:*  host:log*  address:10.1.0.0/16  booted:medium  any
 *       words quiet console=ttyS0      (and keymap, image, menu, menu-password, status-password, boot)
 */
export function readDrafts(text: string): { readonly drafts: readonly RoleDraft[]; readonly problems: LineProblem[] } {
  const drafts: RoleDraft[] = [];
  const problems: LineProblem[] = [];
  let role: RoleDraft | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const [key, ...words] = raw.replace(/#.*/, '').trim().split(/\s+/);
    const line = index + 1;
    const wrong = (what: string): void => {
      problems.push({ line, what });
      if (role !== undefined) role.isBroken = true;
    };
    if (key === '' || key === undefined) continue;
    if (key === 'role') {
      const [name = '', more] = words;
      role = { name, line, plugins: [], machines: [], settings: new SettingsReader(), isBroken: false };
      if (!/^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/.test(name) || more !== undefined)
        wrong('wants role NAME, with a name of letters, digits and . _ + -');
      else if (drafts.some((other) => other.name === name)) wrong(`the role '${name}' is there already`);
      else drafts.push(role);
    } else if (role === undefined) {
      wrong(`'${key}' before the first role`);
    } else if (key !== 'plugins' && key !== 'machines' && !SETTING_KEYS.includes(key)) {
      wrong(`'${key}' is none of role, plugins, machines, ${SETTING_KEYS.join(', ')}`);
    } else if (words.length === 0) {
      wrong(`'${key}' wants something after it`);
    } else if (key === 'plugins') {
      role.plugins.push(...words.map((name) => ({ name, line })));
    } else if (key === 'machines') {
      for (const word of words) {
        const pattern = parsePattern(word);
        if (pattern === undefined)
          wrong(`'${word}' is none of mac:…, host:…, address:ADDR/LEN, booted:medium|network, any`);
        else role.machines.push(pattern);
      }
    } else {
      const problem = role.settings.take(key, words);
      if (problem !== undefined) wrong(problem);
    }
  }
  return { drafts, problems };
}

/** A role with a mistake in it is left out, since half of it may be worse than another one; the others hold. */
export function readRoles(text: string, file = '/etc/RUNES/roles'): RolesFile {
  const { drafts, problems } = readDrafts(text);
  return {
    roles: drafts
      .filter(({ isBroken }) => !isBroken)
      .map(({ name, plugins, machines, settings }) => ({
        ...{ name, machines, settings: settings.settings },
        plugins: plugins.map((plugin) => plugin.name),
      })),
    problems: problems.map(({ line, what }) => `${file}: line ${line}: ${what}`),
  };
}

/** @throws RolesError that names the line of the first mistake */
export function parseRoles(text: string, file = '/etc/RUNES/roles'): Role[] {
  const { roles, problems } = readRoles(text, file);
  if (problems[0] !== undefined) throw new RolesError(problems[0]);
  return [...roles];
}

/** `*` any run of characters, `?` one. Linear in both lengths: patterns come from files of others. */
export function matchesGlob(pattern: string, text: string): boolean {
  let [at, position, star, mark] = [0, 0, -1, 0];
  while (position < text.length) {
    if (pattern[at] === '*') {
      star = at++;
      mark = position;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[position])) {
      at++;
      position++;
    } else if (star >= 0) {
      at = star + 1;
      position = ++mark;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

function fits(pattern: MachinePattern, machine: Machine): string | undefined {
  switch (pattern.kind) {
    case 'any':
      return 'it is for any machine';
    case 'booted':
      return machine.booted === pattern.from ? `booted from the ${pattern.from}` : undefined;
    case 'host':
      return matchesGlob(pattern.pattern, machine.hostname.toLowerCase())
        ? `host name ${machine.hostname} fits ${pattern.pattern}`
        : undefined;
    case 'mac': {
      const mac = machine.macs.find((one) => matchesGlob(pattern.pattern, one));
      return mac === undefined ? undefined : `MAC ${mac} fits ${pattern.pattern}`;
    }
    case 'address': {
      const network = new BlockList();
      network.addSubnet(pattern.network, pattern.prefixLength);
      const address = machine.addresses.find((one) => network.check(one));
      return address === undefined ? undefined : `address ${address} is in ${pattern.network}/${pattern.prefixLength}`;
    }
  }
}

/** The MAC patterns that roles name, in the file's order: the machines that somebody wrote down. Pure. */
export function claimedMacs(roles: readonly Role[]): readonly string[] {
  const patterns = roles
    .flatMap(({ machines }) => machines)
    .flatMap((one) => (one.kind === 'mac' ? [one.pattern] : []));
  // a pattern of stars alone is for any machine
  return [...new Set(patterns)].filter((pattern) => pattern.length <= 40 && /[0-9a-f]/.test(pattern));
}

export interface ChosenRole {
  readonly role: Role;
  readonly why: string;
}

/**
 * The role of a machine: the one `viver.role=` names, else the first of the file that fits, else the default. Pure.
 * @throws RolesError when the role asked for is nowhere
 */
export function chooseRole(machine: Machine, roles: readonly Role[], asked: string | undefined): ChosenRole {
  const all = [...roles, ...DEFAULT_ROLES.filter(({ name }) => !roles.some((role) => role.name === name))];
  if (asked !== undefined) {
    const role = all.find(({ name }) => name === asked);
    if (role !== undefined) return { role, why: `viver.role=${asked}` };
    throw new RolesError(`viver.role=${asked}: there are ${all.map(({ name }) => name).join(', ')}`);
  }
  for (const role of all) {
    for (const pattern of role.machines) {
      const why = fits(pattern, machine);
      if (why !== undefined) return { role, why };
    }
  }
  throw new RolesError('no role fits this machine');
}

/** The plugins a role names: `basic` becomes `basics`, a `-name` takes one out again. */
export function pluginsOf(role: Role, basics: readonly string[]): readonly string[] {
  const names = new Set<string>();
  for (const word of role.plugins) {
    if (word.startsWith('-')) names.delete(word.slice(1));
    else for (const name of word === 'basic' ? basics : [word]) names.add(name);
  }
  return [...names];
}
