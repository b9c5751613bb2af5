import { expect, test } from 'vitest';
import { parseCommandLine } from '../../../../src/init/command-line.ts';
import { questionOf } from '../../../../src/init/source/find-field.ts';

const question = (words: string) => questionOf(parseCommandLine(words), true);

test('a network that comes up at the last moment is still asked; what a person said is not stretched', () => {
  expect(question('viver.media=net').answerMs).toBeGreaterThanOrEqual(10_000);
  expect(question('viver.media=net viver.wait=90')).toMatchObject({ limitMs: 90_000, answerMs: 0 });
});
