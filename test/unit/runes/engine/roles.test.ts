import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkRoles,
  chooseRole,
  DEFAULT_ROLES,
  matchesGlob,
  parseRoles,
  pluginsOf,
  RolesError,
  readRoles,
} from '../../../../src/runes/engine/roles.ts';
import type { Machine } from '../../../../src/runes/machine.ts';

const machine: Machine = {
  hostname: 'Log-7',
  macs: ['52:54:00:12:34:56', '02:00:00:00:00:01'],
  addresses: ['10.1.2.3'],
  booted: 'network',
  bootMac: undefined,
  commandLine: '',
  image: undefined,
};
const FILE = `# who is what
role log-host   # keeps the logs
  plugins basic log-sink -x11
  machines mac:AA-bb-cc-* host:log-?

role quiet
  plugins hostname
  machines address:10.9.0.0/16
  machines booted:medium
`;

describe('a roles file', () => {
  test('names plugins and machines of each role', () => {
    expect(parseRoles(FILE)).toEqual([
      {
        name: 'log-host',
        plugins: ['basic', 'log-sink', '-x11'],
        machines: [
          { kind: 'mac', pattern: 'aa:bb:cc:*' },
          { kind: 'host', pattern: 'log-?' },
        ],
      },
      {
        name: 'quiet',
        plugins: ['hostname'],
        machines: [
          { kind: 'address', network: '10.9.0.0', prefixLength: 16 },
          { kind: 'booted', from: 'medium' },
        ],
      },
    ]);
  });

  test.each([
    ['plugins x', "line 1: 'plugins' before the first role"],
    ['role', 'line 1: wants role NAME'],
    ['role a b', 'line 1: wants role NAME'],
    ['role a\nrole a', "line 2: the role 'a' is there already"],
    ['role a\n\nmachines mac', "line 3: 'mac' is none of"],
    ['role a\nmachines address:10.1.0.0/33', "line 2: 'address:10.1.0.0/33' is none of"],
    ['role a\nmachines booted:tape', "line 2: 'booted:tape' is none of"],
    ['role a\nmachine any', "line 2: 'machine' is none of role, plugins, machines"],
  ])('%j is refused with its line', (text, message) => {
    expect(() => parseRoles(text, 'roles')).toThrow(message);
  });

  test('of any text is read or refused by a RolesError', () => {
    const line = fc.oneof(fc.string(), fc.constantFrom('role a', ' plugins basic', ' machines any', 'role b #x'));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        try {
          parseRoles(lines.join('\n'));
        } catch (error) {
          expect(error).toBeInstanceOf(RolesError);
        }
      }),
    );
  });
});

describe('the role of a machine', () => {
  test('is the first of the file that fits', () => {
    expect(chooseRole(machine, parseRoles(FILE), undefined)).toMatchObject({
      role: { name: 'log-host' },
      why: 'host name Log-7 fits log-?',
    });
    const other = { ...machine, hostname: 'other', addresses: ['10.9.255.1'] };
    expect(chooseRole(other, parseRoles(FILE), undefined).why).toBe('address 10.9.255.1 is in 10.9.0.0/16');
    const third = { ...machine, hostname: 'x', macs: ['aa:bb:cc:00:00:01'] };
    expect(chooseRole(third, parseRoles(FILE), undefined).why).toBe('MAC aa:bb:cc:00:00:01 fits aa:bb:cc:*');
  });

  test('without a file follows from how it booted', () => {
    expect(chooseRole(machine, [], undefined).role.name).toBe('node');
    expect(chooseRole({ ...machine, booted: 'medium' }, [], undefined)).toEqual({
      role: DEFAULT_ROLES[0],
      why: 'booted from the medium',
    });
  });

  test('is the one viver.role= names, over the file; one that is nowhere is refused with what there is', () => {
    expect(chooseRole(machine, parseRoles(FILE), 'quiet').why).toBe('viver.role=quiet');
    expect(() => chooseRole(machine, parseRoles(FILE), 'loud')).toThrow(
      'viver.role=loud: there are log-host, quiet, boot-server, node',
    );
  });

  test('a file may say what boot-server and node are', () => {
    const roles = parseRoles('role node\nplugins hostname\nmachines any');
    expect(chooseRole({ ...machine, booted: 'medium' }, roles, undefined).role.plugins).toEqual(['hostname']);
  });
});

test('basic stands for the basic plugins, and a minus takes one out', () => {
  const role = { name: 'r', plugins: ['basic', 'own', '-b'], machines: [] };
  expect(pluginsOf(role, ['a', 'b', 'c'])).toEqual(['a', 'c', 'own']);
});

test('patterns match as a regular expression of theirs would', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', ':'), maxLength: 12 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
  fc.assert(
    fc.property(pattern, word, (glob, text) => {
      const expression = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      expect(matchesGlob(glob, text)).toBe(expression.test(text));
    }),
  );
});

test('a role with a mistake is left out, every mistake is named, and the other roles hold', () => {
  const text =
    'role a\n plugins basic\n machines mak:1 hosst:x\nrole b\n plugins\nrole c\n plugins basic\n machines any\n';
  expect(readRoles(text, 'roles')).toEqual({
    roles: [{ name: 'c', plugins: ['basic'], machines: [{ kind: 'any' }] }],
    problems: [
      expect.stringMatching(/^roles: line 3: 'mak:1' is none of/),
      expect.stringMatching(/^roles: line 3: 'hosst:x' is none of/),
      "roles: line 5: 'plugins' wants something after it",
    ],
  });
});

test('what can be understood and is hardly meant is said by a check', () => {
  const text = `role all
  plugins basic -xserver
  machines any
role log
  plugins time tyme -dhcp
  machines host:log*
role spare
  machines any
role by-hand
  plugins time
`;
  expect(checkRoles(text, 'roles', ['time', 'dhcp'])).toEqual([
    "roles: role 'all': there is no plugin 'xserver'",
    "roles: role 'log' is never reached: the role 'all' before it is for any machine",
    "roles: role 'log': there is no plugin 'tyme'",
    "roles: role 'log': '-dhcp' takes out what is not in it",
    "roles: role 'spare' has no plugins: a machine with it does nothing",
    "roles: role 'spare' is never reached: the role 'all' before it is for any machine",
    "roles: role 'by-hand' fits no machine by itself: only viver.role=by-hand gives it",
  ]);
  expect(checkRoles('role log\n  plugins basic -dhcp\n  machines host:log*\n', 'roles', ['dhcp'])).toEqual([]);
});
