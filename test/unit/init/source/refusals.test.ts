import { expect, test } from 'vitest';
import { Refusals } from '../../../../src/init/source/refusals.ts';
import type { ImageCandidate } from '../../../../src/media/candidate.ts';

function candidate(sequence: number, path: string): ImageCandidate {
  return { path, device: { path: '/dev/sda1', sequence } } as ImageCandidate;
}

test('an image that was refused is known again, with its reason, until a person had the word', () => {
  const refused = new Refusals();
  refused.add(candidate(1, '/media/sda1/viver/a.sqfs'), 'it is not what its index says');
  expect(refused.has(candidate(1, '/media/sda1/viver/a.sqfs'))).toBe(true);
  expect(refused.has(candidate(1, '/media/sda1/viver/b.sqfs'))).toBe(false);
  expect(refused.lines).toEqual(['/media/sda1/viver/a.sqfs on /dev/sda1: it is not what its index says']);
  refused.clear();
  expect(refused.has(candidate(1, '/media/sda1/viver/a.sqfs'))).toBe(false);
});

test('another medium under the same device name is looked at', () => {
  const refused = new Refusals();
  refused.add(candidate(1, '/media/sda1/viver/a.sqfs'), 'changed');
  expect(refused.has(candidate(2, '/media/sda1/viver/a.sqfs'))).toBe(false);
});

test('a network that gave nothing is known too, until a person had the word', () => {
  const refused = new Refusals();
  expect(refused.hasField).toBe(false);
  refused.addField('nothing came in 20 s');
  expect(refused.hasField).toBe(true);
  expect(refused.lines).toEqual(['network: nothing came in 20 s']);
  refused.clear();
  expect(refused.hasField).toBe(false);
  expect(refused.lines).toEqual([]);
});
