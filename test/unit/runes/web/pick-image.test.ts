import { describe, expect, test } from 'vitest';
import { mergeImages, pickWanted } from '../../../../src/runes/web/pick-image.ts';

const image = (name: string, id: string, ...peers: string[]) => ({
  name,
  id,
  peers,
  directory: `http://${peers[0]}/boot`,
});
const [a, b] = ['aa', 'bb'];

test('an image that several machines have is one, with the nodes of all; the own one is none of them', () => {
  const merged = mergeImages(
    [image('x', a, '1'), image('y', b, '2'), image('x', a, '3', '1'), image('own', 'cc', '4')],
    'cc',
  );
  expect(merged).toEqual([image('x', a, '1', '3'), image('y', b, '2')]);
  const many = Array.from({ length: 50 }, (_, i) => image('x', String(i), String(i)));
  expect(mergeImages(many, 'own')).toHaveLength(12);
  const peers = Array.from({ length: 50 }, (_, i) => image('x', a, String(i)));
  expect(mergeImages(peers, 'own')[0]?.peers).toHaveLength(8);
});

describe('what releases want', () => {
  const wanted = [
    { image: { name: 'class-7', id: a }, release: { name: 'class', version: 7 }, why: '' },
    { image: { name: 'class-6', id: b }, why: '' },
  ];

  test('is taken in their order, as far as it can be had', () => {
    expect(pickWanted(wanted, undefined, new Set([a, b]))?.image.id).toBe(a);
    expect(pickWanted(wanted, undefined, new Set([b]))?.image.id).toBe(b);
    expect(pickWanted(wanted, undefined, new Set())).toBeUndefined();
  });

  test('gives way to the image that a role names, unless it is that one', () => {
    const here = new Set([a, b]);
    expect(pickWanted(wanted, { name: 'other' }, here)).toBeUndefined();
    expect(pickWanted(wanted, { name: 'class' }, here)?.image.id).toBe(a);
    expect(pickWanted(wanted, { name: 'class-6' }, here)?.image.id).toBe(b);
    expect(pickWanted(wanted, { name: 'class-7', id: 'dd' }, here)).toBeUndefined();
  });
});
