import { existsSync, linkSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { partialName } from '../../../src/kit/output-file.ts';
import { temporaryFolder } from '../image/images.ts';

test('no device, directory or input gives its place to an output, and no two have one name under way', () => {
  using folder = temporaryFolder();
  expect(() => partialName('/dev/null')).toThrow('is no file');
  expect(() => partialName(folder.path)).toThrow('is no file');
  const [input, other] = [folder.at('in.sqfs'), folder.at('out.iso')];
  writeFileSync(input, 'image');
  linkSync(input, other);
  expect(() => partialName(other, [input])).toThrow(`${other} is ${input} itself`);
  expect(partialName(other)).not.toBe(partialName(other));
  expect(partialName(folder.at('new'), [input])).toContain('new.part-');
});

test('a folder that is not there, is none, or cannot be written to is told by the name that was asked for', () => {
  using folder = temporaryFolder();
  const nowhere = folder.at('nowhere/out.iso');
  expect(() => partialName(nowhere)).toThrow(`cannot make ${nowhere}`);
  writeFileSync(folder.at('file'), '');
  const below = folder.at('file/out.iso');
  expect(() => partialName(below)).toThrow(/cannot make .*file\/out\.iso|ENOTDIR/);
});

test('what a killed command left under such a name goes, what is under way or of somebody else stays', () => {
  using folder = temporaryFolder();
  const gone = 4_194_305; // above the highest number that Linux gives a process
  const left = [`out.iso.part-${gone}-0123abcd`, `out.iso.part-${gone}-AbC1x_`.replace('_', '9')];
  const kept = [
    `out.iso.part-${process.pid}-0123abcd`,
    `out.iso.part-${gone}-fresh001`,
    `other.iso.part-${gone}-0123abcd`,
    'out.iso.part-of-mine',
    'out.iso.partial',
  ];
  for (const name of [...left.slice(0, 1), ...kept]) writeFileSync(folder.at(name), '');
  mkdirSync(folder.at(left[1] ?? ''));
  writeFileSync(folder.at(`${left[1]}/viverrd.zst`), '');
  for (const name of [...left, ...kept]) if (!name.includes('fresh')) utimesSync(folder.at(name), 0, 0);
  partialName(folder.at('out.iso'));
  expect(left.map((name) => existsSync(folder.at(name)))).toEqual([false, false]);
  expect(kept.map((name) => existsSync(folder.at(name)))).toEqual(kept.map(() => true));
});
