import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

/** Areas by level; an area may import from levels further down only (docs/architecture.md). */
const LEVELS: readonly (readonly string[])[] = [
  ['init', 'kit'],
  ['runes'],
  ['root', 'media', 'image', 'field', 'nbd', 'net', 'hardware'],
  ['squashfs', 'linux', 'codec'],
];

/** Small interfaces through which areas on one level meet: importing area → files it may take from a neighbour. */
const INTERFACES: Readonly<Record<string, readonly string[]>> = {
  init: ['kit/main.ts'],
  field: [
    'nbd/block-source.ts',
    'image/chunk-index.ts',
    'image/chunk-store.ts',
    'image/chunk-source.ts',
    'image/carried-chunks.ts',
  ],
  media: ['image/image-name.ts'],
  linux: ['codec/struct.ts'],
  squashfs: [
    'codec/struct.ts',
    'codec/printable.ts',
    'linux/errno.ts',
    'linux/foreign.ts',
    'linux/make-node.ts',
    'linux/xattr.ts',
  ],
};

/** The rooms of the field: what each may take from the others. The files above them may take from all. */
const FIELD_ROOMS: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  shares: ['wire'],
  members: ['wire', 'shares', 'event.ts'],
  store: ['wire', 'event.ts'],
  origin: [],
  exchange: ['wire', 'members', 'shares', 'event.ts'],
  edge: ['wire', 'store', 'shares', 'event.ts'],
};

const source = join(import.meta.dirname, '../../src');
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

function levelOf(area: string): number {
  return LEVELS.findIndex((level) => level.includes(area));
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(source, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].flatMap((match) => match[1] ?? []);
}

test('every source file lies in a known area', () => {
  for (const file of files) expect(levelOf(file.split('/')[0] ?? ''), file).toBeGreaterThanOrEqual(0);
});

test('imports go one way: init, kit → runes → root, media, image, field, nbd, net, hardware → squashfs, linux, codec', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const area = file.split('/')[0] ?? '';
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith('.')) continue;
      const target = relative(source, join(source, dirname(file), specifier));
      const targetArea = target.split('/')[0] ?? '';
      if (targetArea === area || levelOf(targetArea) > levelOf(area)) continue;
      if (target === '../package.json') continue; // VIVER's version is there and nowhere else
      if (INTERFACES[area]?.includes(target)) continue;
      wrong.push(`${file} → ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('the rooms of the field import one way: exchange → members, edge → store, all → wire', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const [area = '', room = '', name] = file.split('/');
    if (area !== 'field' || name === undefined) continue;
    const allowed = FIELD_ROOMS[room];
    expect(allowed, `${file} lies in no known room`).toBeDefined();
    for (const specifier of importsOf(file)) {
      const target = relative(source, join(source, dirname(file), specifier));
      const [targetArea, targetRoom = ''] = target.split('/');
      if (!specifier.startsWith('.') || targetArea !== 'field' || targetRoom === room) continue;
      if (allowed?.includes(targetRoom) !== true) wrong.push(`${file} → ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('src never imports build scripts or tests', () => {
  const wrong = files.filter((file) => importsOf(file).some((name) => /(^|\/)(scripts|test)\//.test(name)));
  expect(wrong).toEqual([]);
});

test('only linux/ calls node:ffi', () => {
  const wrong = files.filter((file) => !file.startsWith('linux/') && importsOf(file).includes('node:ffi'));
  expect(wrong).toEqual([]);
});
