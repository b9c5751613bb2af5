import { linkSync, writeFileSync } from 'node:fs';
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
