import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAMILIES } from '../../../../src/image/sources/families/family.ts';
import { emptyReport } from '../../../../src/image/sources/report.ts';
import { applyRules, contentOf } from '../../../../src/image/sources/rules/apply.ts';
import { formatRules, holdsSecret, parseRules, Rules } from '../../../../src/image/sources/rules/rules.ts';
import { EXCLUDES } from '../../../../src/image/sources/rules/table.ts';
import type { TreeEntry } from '../../../../src/squashfs/entry.ts';
import { describeAll } from './described.ts';

const rules = (text: string): Rules => new Rules(parseRules(text, 'list'));
const verdict = (text: string, path: string, isDirectory = false): string =>
  rules(text).of(Buffer.from(path).toString('latin1'), isDirectory)?.what ?? 'kept';

describe('a pattern', () => {
  test.each<[string, string[], string[]]>([
    ['/etc/passwd', ['etc/passwd', 'etc/passwd/below'], ['etc/passwd2', 'x/etc/passwd', 'etc']],
    ['/etc/ssh/*_key', ['etc/ssh/a_key', 'etc/ssh/_key'], ['etc/ssh/a/b_key', 'etc/ssh/a_keys']],
    ['/var/**/core', ['var/a/core', 'var/a/b/core'], ['var/core', 'var/a/score']],
    ['*.iso', ['x.iso', 'home/me/x.iso', 'x.iso/below'], ['x.isox', 'iso']],
    ['/a?c', ['abc', 'aüc', 'a日c'], ['ac', 'abbc', 'a/c']],
    ['/[a-c]x', ['ax', 'cx'], ['dx', '-x', 'x']],
    ['/[!a]x', ['bx', 'üx'], ['ax', '/x']],
    ['/a.b+(c)', ['a.b+(c)'], ['axb+(c)', 'a.bb(c)']],
    ['/a\\*b', ['a*b'], ['axb']],
    ['/[x', ['[x'], ['x']],
    ['/dir/', ['dir', 'dir/x'], ['dirx']],
  ])('%s', (pattern, fits, not) => {
    for (const path of fits) expect(verdict(pattern, path), path).toBe('drop');
    for (const path of not) expect(verdict(pattern, path), path).toBe('kept');
  });

  test('of bytes that are no text fits them one by one', () => {
    const list = rules('/odd*');
    expect(list.of('odd\xff\xfe\n', false)?.what).toBe('drop');
  });

  test('whatever its characters, it is a pattern or refused in one line', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'/*?[]!^-a\\.+(){}|$ü'), minLength: 1 }),
        fc.string(),
        (pattern, path) => {
          try {
            new Rules([{ word: 'drop', pattern, why: '' }]).of(path, false);
          } catch (error) {
            expect((error as Error).name).toBe('RuleError');
          }
        },
      ),
    );
  });
});

describe('a list', () => {
  test('does what its words say', () => {
    const list = 'inside /cache\nfiles /log\nempty /id\nkeep /cache/kept\nkeep /log/keep/**\n';
    expect([verdict(list, 'cache', true), verdict(list, 'cache/x'), verdict(list, 'cache/kept')]).toEqual([
      'kept',
      'drop',
      'kept',
    ]);
    expect([verdict(list, 'log/a', true), verdict(list, 'log/a/b'), verdict(list, 'log/keep/x')]).toEqual([
      'kept',
      'drop',
      'kept',
    ]);
    expect([verdict(list, 'id'), verdict(list, 'id', true)]).toEqual(['empty', 'kept']);
  });

  test('counts from its end, and a line that is only a pattern drops', () => {
    expect(verdict('keep /a\n/a', 'a')).toBe('drop');
    expect(verdict('/a\nkeep /a', 'a')).toBe('kept');
  });

  test('comes out as it went in', () => {
    const parsed = parseRules(EXCLUDES, 'x');
    expect(parseRules(formatRules(parsed), 'y')).toEqual(parsed);
  });

  test.each([
    ['drop', "list, line 1: 'drop' without a pattern"],
    ['/a\nremove /b', "list, line 2: 'remove' is none of drop"],
  ])('that is wrong is refused with its line: %j', (text, message) => {
    expect(() => parseRules(text, 'list')).toThrow(message);
  });
});

describe("VIVER's own list", () => {
  const own = rules(EXCLUDES);
  const of = (path: string, isDirectory = false): string => own.of(path, isDirectory)?.what ?? 'kept';

  test('and those of the families are lists, each line with a reason', () => {
    for (const { name, excludes } of FAMILIES) {
      for (const { pattern, why } of parseRules(excludes, name)) expect(why, `${name}: ${pattern}`).not.toBe(pattern);
    }
    for (const { pattern, why } of parseRules(EXCLUDES, 'x')) expect(why, pattern).not.toBe(pattern);
  });

  test.each([
    ['etc/machine-id', 'empty'],
    ['etc/ssh/ssh_host_ed25519_key', 'drop'],
    ['etc/ssh/sshd_config', 'kept'],
    ['var/lib/systemd/random-seed', 'drop'],
    ['var/lib/dhcp/dhclient.leases', 'drop'],
    ['etc/NetworkManager/system-connections/Home.nmconnection', 'secret'],
    ['etc/udev/rules.d/70-persistent-net.rules', 'drop'],
    ['var/cache/apt/archives/x.deb', 'drop'],
    ['var/cache/debconf/config.dat', 'kept'],
    ['var/log/syslog', 'drop'],
    ['swap.img', 'drop'],
    ['swapfile', 'drop'],
    ['timeshift/snapshots/1/localhost/etc/passwd', 'drop'],
    ['boot/initrd.img-6.1.0-1-amd64', 'drop'],
    ['boot/vmlinuz-6.1.0-1-amd64', 'kept'],
    ['boot/viverrd.zst', 'kept'],
    ['etc/fstab', 'kept'],
    ['home/me/letter', 'kept'],
    ['usr/bin/sh', 'kept'],
  ])('%s: %s', (path, what) => expect(of(path)).toBe(what));

  test('keeps the directories that programs want', () => {
    for (const path of ['var/log', 'var/log/nginx', 'var/cache/apt', 'var/lib/dhcp', 'tmp', 'var/tmp', 'run']) {
      expect(of(path, true), path).toBe('kept');
    }
  });
});

test.each([
  ['[wifi-security]\nkey-mgmt=wpa-psk\npsk=hunter22\n', true],
  ['network={\n\tssid="x"\n\tpsk="hunter22"\n}\n', true],
  ['          password: "hunter22"\n', true],
  ['[vpn-secrets]\npassword=x\n', true],
  ["WIRELESS_WPA_PSK='x'\n", true],
  ['[wifi-security]\nkey-mgmt=wpa-psk\npsk-flags=1\n', false],
  ['[connection]\nid=Wired\n[ipv4]\nmethod=auto\n', false],
  ['# psk=none\n', false],
  ['psk=\n', false],
])('%j holds a password: %s', (text, expected) => expect(holdsSecret(Buffer.from(text))).toBe(expected));

describe('applied to entries', () => {
  const file = (path: string, text: string): TreeEntry => ({
    path: Buffer.from(path),
    kind: 'file',
    mode: 0o600,
    uid: 0,
    gid: 0,
    mtime: 0,
    open: () => contentOf(Buffer.from(text)),
  });

  test('what goes is counted by its reason, what is emptied is there, secrets are looked for', async () => {
    const report = emptyReport();
    const list = rules('/a # first\nempty /id # second\nsecret /net/* # third');
    const entries = [
      file('a', 'x'),
      file('id', 'abc'),
      file('net/wifi', 'psk=abc'),
      file('net/wired', 'id=x'),
      file('z', 'z'),
    ];
    const found = await describeAll(applyRules(entries, list, report));
    expect([...found].map(([path, { size }]) => [path, size])).toEqual([
      ['id', 0],
      ['net/wired', 4],
      ['z', 1],
    ]);
    expect(Object.fromEntries(report.excluded)).toEqual({ first: 1, second: 1, third: 1 });
  });

  test('a name of a file that was left out says so', async () => {
    const link: TreeEntry = { ...file('b', ''), kind: 'hardlink', target: Buffer.from('a') };
    await expect(describeAll(applyRules([file('a', 'x'), link], rules('/a'), emptyReport()))).rejects.toThrow(
      'b is another name of a, which is left out: --include /a',
    );
  });
});
