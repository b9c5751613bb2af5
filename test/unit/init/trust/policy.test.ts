import { array, assert, constantFrom, oneof, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { applyPolicy, NO_POLICY, parsePolicy, WEAKENING } from '../../../../src/init/trust/policy.ts';

const obeyed = (policy: string, commandLine: string) => applyPolicy(parsePolicy(policy), commandLine);

test('an empty policy, and one of comments only, changes nothing', () => {
  for (const text of ['', '\n\n', '# forbid words init\n   # more\n']) expect(parsePolicy(text)).toEqual(NO_POLICY);
  const line = 'console=ttyS0 viver.image=a "two words" init=/bin/sh -- single';
  expect(applyPolicy(NO_POLICY, `${line}\n`)).toEqual({ commandLine: line, refused: [] });
});

test('what is required and forbidden is read, comments behind it not', () => {
  const policy = parsePolicy(
    'require signature # always\nforbid prompt\nforbid words viver.cow viver.o*\nallow words viver.origin\n',
  );
  expect(policy).toEqual({
    signature: true,
    prompt: 'forbidden',
    forbidden: ['viver.break', 'viver.rescue', 'viver.cow', 'viver.o*'],
    allowed: ['viver.origin'],
    fixed: [],
  });
});

test.each([
  ['deny init', "line 1: 'deny' is not one of require, forbid, allow, fix"],
  ['\nforbid', "line 2: 'forbid' wants something after it"],
  ['require signatures', "line 1: 'require' knows only signature"],
  ['require signature now', "line 1: 'require' knows only signature"],
  ['forbid promt', "line 1: 'forbid' takes prompt, weakening, or words"],
  ['forbid words', "line 1: 'forbid' takes prompt, weakening, or words"],
  ['allow init', "line 1: 'allow' takes words"],
  ['forbid words init=/bin/sh', "line 1: 'init=/bin/sh' is no name of a word"],
  ['fix viver.verify=full viver.toram', "line 1: 'fix' takes one word"],
  ['fix viver.verify=full\nfix viver.verify=lazy', "line 2: 'viver.verify' is fixed already"],
  ['fix --', "line 1: '--' is no word"],
  ['Forbid prompt', "line 1: 'Forbid' is not one of"],
])('%j is no policy: %s', (text, why) => {
  expect(() => parsePolicy(text)).toThrow(why);
});

test('a forbidden word is not obeyed, wherever it stands and however it is written', () => {
  expect(obeyed('forbid words init', 'quiet init=/bin/sh "init=/bin/sh -c x" in"it=/x" inits=1 -- init=/y z')).toEqual({
    commandLine: 'quiet inits=1 -- z',
    refused: ['init=/bin/sh', '"init=/bin/sh -c x"', 'in"it=/x"', 'init=/y'],
  });
  expect(obeyed('forbid words *\nallow words console root', 'console=ttyS0 root=/dev/sda x y=z -- single')).toEqual({
    commandLine: 'console=ttyS0 root=/dev/sda',
    refused: ['x', 'y=z', 'single'],
  });
});

test.each([
  "'systemd.debug_shell'",
  'a="b systemd.debug_shell"',
  'systemd\\.debug_shell',
  '"systemd.debug_shell',
  'a\u00a0systemd.debug_shell',
])('%s, which others read otherwise, is refused where anything is forbidden', (word) => {
  expect(obeyed('forbid weakening', `quiet ${word}`).commandLine).toMatch(/^quiet( a)?$/);
  expect(obeyed('fix viver.toram', `quiet ${word}`).refused).toEqual([]);
});

test('a fixed word stands in the place of all of its name, before the arguments of init', () => {
  const policy = 'fix viver.image=debian@sha256:00\nfix viver.toram';
  expect(obeyed(policy, 'a viver.image=evil b viver.image=evil2 -- viver.image=c d')).toEqual({
    commandLine: 'a b viver.image=debian@sha256:00 viver.toram -- d',
    refused: ['viver.image=evil', 'viver.image=evil2', 'viver.image=c'],
  });
  expect(obeyed('fix a=1', 'a=1 b').refused).toEqual([]);
  expect(obeyed('forbid words a\nfix a=1', 'a=2').commandLine).toBe('a=1');
});

test('every weakening word is refused by `forbid weakening`', () => {
  for (const { words } of WEAKENING) {
    for (const word of words.map((name) => name.replace('*', 'thing=1'))) {
      expect(obeyed('forbid weakening', `quiet ${word}`)).toEqual({ commandLine: 'quiet', refused: [word] });
      expect(obeyed('forbid weakening', `quiet -- ${word}`).commandLine).toBe('quiet');
    }
  }
});

const name = constantFrom('init', 'viver.cow', 'viver.verify', 'a', 'b.c', '--', 'x"y', '"');
const word = oneof(name, string({ unit: 'grapheme', maxLength: 12 }), constantFrom('init=/bin/sh', 'viver.cow=ram'));

test('whatever stands on a command line, no forbidden word is left, fixed ones are there once, and the rest stays', () => {
  const policy = parsePolicy('forbid weakening\nforbid words b*\nfix viver.toram\nfix viver.image=debian');
  assert(
    property(array(word, { maxLength: 12 }), (words) => {
      const line = words.join(' ');
      const { commandLine } = applyPolicy(policy, line);
      const names = (text: string) =>
        (text.match(/(?:"[^"]*"?|[^\s"])+/g) ?? []).map((found) => found.replaceAll('"', '').split('=')[0] ?? '');
      const left = names(commandLine);
      expect(left.filter((each) => /^(init|viver\.cow|viver\.verify|b.*)$/.test(each))).toEqual([]);
      expect(left.filter((each) => each === 'viver.toram')).toHaveLength(1);
      expect(left.filter((each) => each === 'viver.image')).toHaveLength(1);
      expect(applyPolicy(policy, commandLine).commandLine).toBe(commandLine);
    }),
  );
});

test('any text is a policy or is refused with its line', () => {
  const line = oneof(
    string(),
    constantFrom('require signature', 'forbid words *', 'fix a=1', 'allow words b', 'forbid "a b"'),
  );
  assert(
    property(array(line), (lines) => {
      try {
        parsePolicy(lines.join('\n'));
      } catch (error) {
        expect(String(error)).toMatch(/^Error: line \d+: /);
      }
    }),
  );
});
