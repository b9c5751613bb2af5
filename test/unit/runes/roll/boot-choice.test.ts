import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseBootChoice } from '../../../../src/runes/roll/boot-choice.ts';
import {
  againToDiskScript,
  askMacScript,
  bootScript,
  notHereScript,
  ownersScript,
} from '../../../../src/runes/web/boot-script.ts';

const base = 'http://10.0.0.1:20080';
const mac = '52:54:00:00:00:0a';
const [one, two] = ['ab'.repeat(32), 'cd'.repeat(32)];
const words = ['console=ttyS0', 'viver.release=class@7'];
const script = {
  ...{ base, image: { name: 'class-6', id: one }, peers: ['10.0.0.1'], words, hasMemtest: true },
  others: [{ name: 'class-7', id: two, peers: ['10.0.0.2:20071'], directory: 'http://10.0.0.2:20080/boot/class-7' }],
};
const [other] = script.others;
const own = {
  image: { name: 'class-6', id: one },
  directory: `${base}/boot`,
  commandLine: `viver.image=class-6@sha256:${one} viver.media=net viver.peer=10.0.0.1 BOOTIF=01-52-54-00-00-00-0a console=ttyS0 viver.release=class@7`,
};

test.each(['ask', 'none', 10] as const)('what a loader would start is read from a script (menu %s)', (menu) => {
  expect(parseBootChoice(bootScript({ ...script, menu }), mac)).toEqual(own);
  const steered = {
    ...script,
    menu,
    others: other === undefined ? [] : [{ ...other, isFirst: true, words: ['panic=30'] }],
  };
  expect(parseBootChoice(bootScript(steered), mac)).toEqual({
    image: { name: 'class-7', id: two },
    directory: 'http://10.0.0.2:20080/boot/class-7',
    commandLine: `viver.image=class-7@sha256:${two} viver.media=net viver.peer=10.0.0.2:20071 BOOTIF=01-52-54-00-00-00-0a panic=30`,
  });
});

test('a machine that starts anew without a loader needs no first stage', () => {
  const whole = { sha256: one, sizeBytes: 55_000_000, from: ['10.0.0.1:20080'] };
  expect(parseBootChoice(bootScript({ ...script, whole }), mac)).toEqual(own);
});

test('a script that starts something else says what, or that another machine knows', () => {
  const whole = bootScript(script);
  for (const [text, why] of [
    [notHereScript('desk'), 'this machine does not boot here: its role is desk, which says "boot no".'],
    [askMacScript(base, false), 'another machine says what this one boots'],
    [againToDiskScript(base), 'another machine says'],
    [ownersScript('http://10.0.0.9:20080', mac, whole), 'another machine says what this one boots'],
    [bootScript({ ...script, image: { name: 'class-6', id: undefined } }), 'names no image, kernel and words'],
    ['', 'another machine says'],
  ] as const)
    expect(() => parseBootChoice(text, mac), text.slice(0, 40)).toThrow(why);
});

test('whatever a server says, it is a choice or an error with words', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.nat(2000).map((at) => bootScript(script).slice(0, at)),
      ),
      (text) => {
        try {
          expect(parseBootChoice(text, mac)).toEqual(own);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      },
    ),
  );
});
