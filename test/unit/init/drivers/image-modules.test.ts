import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { explainUnfit, findImageModules } from '../../../../src/init/drivers/image-modules.ts';

const folder = mkdtempSync(join(tmpdir(), 'viver-image-modules-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** An image's root with these files below it; `lib` is a link to where they are, as it is in most. */
function root(name: string, files: readonly string[], library = '/usr/lib'): string {
  const path = join(folder, name);
  mkdirSync(join(path, 'usr/lib/modules'), { recursive: true });
  symlinkSync(library, join(path, 'lib'));
  for (const file of files) {
    mkdirSync(join(path, 'usr/lib/modules', file, '..'), { recursive: true });
    writeFileSync(join(path, 'usr/lib/modules', file), '');
  }
  return path;
}

test('an image whose modules are those of the running kernel fits, also through an absolute link', () => {
  const image = root('fits', ['6.1.0-56-amd64/modules.dep.bin', '6.12.1/modules.dep']);
  expect(findImageModules(image, '6.1.0-56-amd64')).toEqual({
    running: '6.1.0-56-amd64',
    fits: true,
    have: ['6.1.0-56-amd64', '6.12.1'],
  });
});

test('another kernel, headers without modules, and nothing at all do not fit, and the line says which it is', () => {
  const other = findImageModules(root('other', ['6.1.0-56-amd64/modules.dep', '6.12.1/build/Makefile']), '6.12.1');
  expect(other).toMatchObject({ fits: false, have: ['6.1.0-56-amd64'] });
  expect(explainUnfit(other, true)).toBe(
    'the image has no modules for the running kernel 6.12.1 (it has those of 6.1.0-56-amd64 only): ' +
      "the initrd's stay at /lib/modules/6.12.1, and what they do not drive is not driven; " +
      "the image's own kernel, from its /boot, would fit",
  );
  const none = findImageModules(join(folder, 'nothing'), '6.12.1');
  expect(none).toMatchObject({ fits: false, have: [] });
  expect(explainUnfit(none, false)).toContain('(it has no modules at all): nor has the initrd');
});

test('a link that leads nowhere is no image of this kernel', () => {
  expect(findImageModules(root('astray', ['6.12.1/modules.dep'], '/somewhere/else'), '6.12.1').fits).toBe(false);
});
