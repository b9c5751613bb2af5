import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { imageNameOf, isImageName } from '../../../src/image/image-name.ts';

test.each([
  ['debian', 'debian'],
  ['debian~rc1', 'debian~rc1'],
  ['my image (2)', 'my_image__2_'],
  ['../../etc/passwd', 'etc_passwd'],
  ['..', ''],
  ['.hidden', 'hidden'],
  ['a\nviver: root ready', 'a_viver__root_ready'],
  ['\x1b[2J', '2J'],
  ['', ''],
])('a medium that calls its image %j holds %j', (label, name) => {
  expect(imageNameOf(label)).toBe(name);
});

test('whatever a medium says becomes a name or nothing, and a name stays what it is', () => {
  assert(
    property(string({ unit: 'binary', maxLength: 300 }), (label) => {
      const name = imageNameOf(label);
      expect(name === '' || isImageName(name)).toBe(true);
      expect(imageNameOf(name)).toBe(name);
      if (isImageName(label)) expect(name).toBe(label);
    }),
  );
});
