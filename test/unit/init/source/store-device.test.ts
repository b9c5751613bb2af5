import { mkdirSync, writeFileSync } from 'node:fs';
import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { imageIn, parseLast, planKeep, storeMountOptions } from '../../../../src/init/source/store-device.ts';
import { temporaryFolder } from '../../image/images.ts';

const ID = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);

test('what ran from the store last is believed only when it can be an image', () => {
  expect(parseLast(`${ID} debian\n`)).toEqual({ id: ID, name: 'debian' });
  for (const text of [
    '',
    `${ID}\n`,
    `${ID} ../x\n`,
    `${ID} a b\n`,
    `${ID.slice(1)} debian\n`,
    `${ID} debian\nmore\n`,
  ]) {
    expect(parseLast(text)).toBeUndefined();
  }
  assert(property(string({ unit: 'binary' }), (text) => void parseLast(text)));
});

test('a store takes nine tenths of what is free and what is its own already', () => {
  expect(planKeep(900, 100)).toBe(900);
  expect(planKeep(0, 0)).toBe(0);
});

test('the store begins a boot of the image that was asked for, when its index is there', () => {
  using folder = temporaryFolder();
  const path = folder.at('store');
  mkdirSync(path);
  const store = { path, keepBytes: 1, last: { name: 'debian', id: ID } };
  expect(imageIn(store, undefined)).toBeUndefined();
  writeFileSync(`${path}/${ID}.caibx`, '');
  expect(imageIn(store, undefined)).toEqual({ name: 'debian', id: ID });
  expect(imageIn(store, { name: 'debian', id: undefined })).toEqual({ name: 'debian', id: ID });
  expect(imageIn(store, { name: 'other', id: undefined })).toBeUndefined();
  expect(imageIn(store, { name: 'debian', id: OTHER })).toBeUndefined();
  writeFileSync(`${path}/${OTHER}.caibx`, '');
  expect(imageIn(store, { name: 'debian', id: OTHER })).toEqual({ name: 'debian', id: OTHER });
});

test('on ext4 the bytes of a chunk have their place when its name has', () => {
  expect(storeMountOptions({ type: 'ext4', data: '' })).toBe('nodelalloc');
  expect(storeMountOptions({ type: 'ext4', data: 'a=b' })).toBe('a=b,nodelalloc');
  expect(storeMountOptions({ type: 'xfs', data: 'a=b' })).toBe('a=b');
});
