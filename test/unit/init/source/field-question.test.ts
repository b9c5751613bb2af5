import { expect, test } from 'vitest';
import { parseCommandLine } from '../../../../src/init/command-line.ts';
import { hintsOf, questionOf } from '../../../../src/init/source/find-field.ts';

const question = (words: string) => questionOf(parseCommandLine(words), true);

test('a network that comes up at the last moment is still asked; what a person said is not stretched', () => {
  expect(question('viver.media=net').answerMs).toBeGreaterThanOrEqual(10_000);
  expect(question('viver.media=net viver.wait=90')).toMatchObject({ limitMs: 90_000, answerMs: 0 });
});

const ID = 'ab'.repeat(32);
const origins = ['http://a.example/'];
const hints = (about: Partial<Parameters<typeof hintsOf>[0]>): string =>
  hintsOf({ image: undefined, origins, mustProve: false, hasKey: false, ...about }).join('\n');

test('with a web server and no image named by its id, it is said that this is what is missing', () => {
  expect(hints({})).toContain('viver.image=NAME@sha256:ID');
  expect(hints({ image: { name: 'debian', id: undefined } })).toContain('viver.image=NAME@sha256:ID');
  expect(hints({ image: { name: 'debian', id: ID } })).not.toContain('origin');
  expect(hints({ origins: [] })).not.toContain('origin');
});

test('a web server alone cannot show that an image is signed, and a node without the key is told of it', () => {
  expect(hints({ image: { name: 'debian', id: ID }, mustProve: true })).toContain('must be signed');
  expect(hints({})).toContain('carries its key');
  expect(hints({ hasKey: true })).not.toContain('carries its key');
});
