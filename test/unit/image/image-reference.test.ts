import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatImageReference, imagePaths, parseImageReference } from '../../../src/image/image-reference.ts';

const ID = '0123456789abcdef'.repeat(4);

describe('parseImageReference', () => {
  test('takes a name, alone or pinned to an id', () => {
    expect(parseImageReference('debian')).toEqual({ name: 'debian' });
    expect(parseImageReference('debian.sqfs')).toEqual({ name: 'debian' });
    expect(parseImageReference(`debian-12.5+x@sha256:${ID}`)).toEqual({ name: 'debian-12.5+x', id: ID });
    expect(parseImageReference(`d@sha256:${ID.toUpperCase()}`)).toEqual({ name: 'd', id: ID });
  });

  test.each(['', '.sqfs', '.hidden', '../x', 'a/b', '-x', 'a b', 'a\n', 'ä', 'a'.repeat(201), '@sha256:00'])(
    'refuses the name in %j',
    (text) => {
      expect(() => parseImageReference(text)).toThrow('is no image name');
    },
  );

  test.each([
    'a@',
    'a@sha256',
    'a@sha256:',
    `a@sha1:${ID}`,
    `a@${ID}`,
    `a@sha256:${ID}0`,
    `a@sha256:${ID}:x`,
    `a@sha256:g${ID.slice(1)}`,
    `a@sha256:${ID}@x`,
  ])('refuses the id in %j', (text) => {
    expect(() => parseImageReference(text)).toThrow('is no image id, which is sha256: and 64 hex digits');
  });

  test('on any text gives a reference that formats to itself, or an Error', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'grapheme' }).map((text) => `a@sha256:${text}`),
        ),
        (text) => {
          try {
            const reference = parseImageReference(text);
            expect(parseImageReference(formatImageReference(reference))).toEqual(reference);
          } catch (error) {
            expect((error as Error).message).toMatch(/is no image (name|id)/);
          }
        },
      ),
    );
  });
});

test('index and signature lie beside the image', () => {
  expect(imagePaths('/media/viver/debian.sqfs')).toEqual({
    name: 'debian',
    image: '/media/viver/debian.sqfs',
    index: '/media/viver/debian.caibx',
    signature: '/media/viver/debian.caibx.minisig',
  });
  expect(imagePaths('debian.sqfs').index).toBe('debian.caibx');
  expect(imagePaths('/dev/sdb2').index).toBe('/dev/sdb2.caibx');
});
