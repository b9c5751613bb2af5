import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_SETTINGS } from '../../../../src/runes/engine/role-settings.ts';
import {
  chooseRole,
  DEFAULT_ROLES,
  matchesGlob,
  parseRoles,
  pluginsOf,
  RolesError,
  readRoles,
} from '../../../../src/runes/engine/roles.ts';
import { checkRoles } from '../../../../src/runes/engine/roles-check.ts';
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
    expect(parseRoles(FILE)).toMatchObject([
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
    ['role a\nmachine any', "line 2: 'machine' is none of role, plugins, machines, words"],
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
  const role = { name: 'r', plugins: ['basic', 'own', '-b'], machines: [], settings: NO_SETTINGS };
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
    roles: [{ name: 'c', plugins: ['basic'], machines: [{ kind: 'any' }], settings: NO_SETTINGS }],
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
    "roles: line 2: there is no plugin 'xserver'",
    "roles: line 4: the role 'log' is never reached: the role 'all' before it is for any machine",
    "roles: line 5: there is no plugin 'tyme'",
    "roles: line 5: '-dhcp' takes out what is not in it",
    "roles: line 7: the role 'spare' has no plugins: a machine with it does nothing",
    "roles: line 7: the role 'spare' is never reached: the role 'all' before it is for any machine",
    "roles: line 9: the role 'by-hand' fits no machine by itself: only viver.role=by-hand gives it",
  ]);
  expect(checkRoles('role log\n  plugins basic -dhcp\n  machines host:log*\n', 'roles', ['dhcp'])).toEqual([]);
  const menu = `role a\n plugins basic\n machines booted:medium\n boot no\nrole b\n plugins basic basic\n menu none\n menu-password ${HASH}\n machines any\n`;
  expect(checkRoles(menu, 'roles', [])).toEqual([
    "roles: line 1: the role 'a' is for machines booted from a medium: boot, menu and image are for others",
    "roles: line 5: the role 'b' has a password for a menu that nobody gets (menu none)",
    "roles: line 6: 'basic' is there already",
  ]);
});

const ID = 'ab'.repeat(32);
const HASH = `scrypt:${'a'.repeat(22)}:${'b'.repeat(43)}`;

test('a role says words, keyboard, image, menu, passwords, and who boots here', () => {
  const text = `role exam
  plugins basic
  machines mac:52:54:00:*
  words quiet viver.cow=ram console=ttyS0,115200
  words panic=30
  keymap de-nodeadkeys
  image exam@sha256:${ID}
  menu 10
  menu-password ${HASH}
  status-password ${HASH}
role strangers
  boot no
  machines any
`;
  const { roles, problems } = readRoles(text);
  expect(problems).toEqual([]);
  expect(checkRoles(text, 'roles', [])).toEqual([]);
  expect(roles.map(({ settings }) => settings)).toEqual([
    {
      words: ['quiet', 'viver.cow=ram', 'console=ttyS0,115200', 'panic=30', 'viver.keymap=de-nodeadkeys'],
      image: { name: 'exam', id: ID },
      menu: 10,
      menuPassword: HASH,
      statusPassword: HASH,
      boot: true,
    },
    { ...NO_SETTINGS, boot: false },
  ]);
});

test.each([
  ['words a"b', "words: 'a\"b' cannot be a word: letters"],
  ['words $' + '{x}', 'cannot be a word'],
  ['words viver.media=usb', "'viver.media=' is the boot server's to say"],
  ['words viver.image=x', "'viver.image=' is said by 'image NAME'"],
  [
    `words ${'a'.repeat(150)} ${'a'.repeat(200)} ${'b'.repeat(200)} ${'c'.repeat(200)} ${'d'.repeat(200)} ${'e'.repeat(200)}`,
    'more than 1024',
  ],
  ['keymap DE', "'DE' is no keymap"],
  ['keymap de fr', "one value is wanted, not 'de fr'"],
  ['image a/b', "'a/b' is no image name"],
  ['image a@sha256:12', 'is no image id'],
  ['menu 0', "'0' is none of ask, none, 1…300"],
  ['menu-password secret', "wants what 'viver role password' prints, never the password itself"],
  ['boot never', "'never' is none of yes, no"],
  ['menu ask\n menu none', "'menu' is there already"],
])('%j is refused with its line', (line, message) => {
  const { roles, problems } = readRoles(`role a\n machines any\n ${line}\n`);
  expect(roles).toEqual([]);
  expect(problems.join()).toContain(message);
  expect(problems.join()).toMatch(/line [34]: /);
});
