import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { imageMount, mountImage, unmountImage } from '../../../../src/kit/image/mount-image.ts';
import { parseMountinfo, readMounts } from '../../../../src/linux/mount.ts';
import { writeSquashfs } from '../../../../src/squashfs/write-squashfs.ts';
import { temporaryFolder } from '../../image/images.ts';
import { entry, file } from '../../squashfs/trees.ts';
import { viver } from '../run-viver.ts';

const folder = temporaryFolder();
const made = folder.at('made.sqfs');
const directory = folder.at('at');

beforeAll(async () => {
  await writeSquashfs([entry('', 'directory', { mode: 0o755 }), file('text', 'inside')], made, { level: 1 });
  mkdirSync(directory);
  return () => folder[Symbol.dispose]();
});

describe('as root', () => {
  test('the image is there, read-only, until it is unmounted, and its loop device goes with it', async () => {
    expect(await viver('image', 'mount', made, directory)).toEqual({ code: 0, stdout: '', stderr: '' });
    const mount = readMounts().find(({ target }) => target === directory);
    try {
      expect(readFileSync(`${directory}/text`, 'utf8')).toBe('inside');
      expect(mount).toMatchObject({ type: 'squashfs', options: expect.arrayContaining(['ro', 'nosuid', 'nodev']) });
    } finally {
      expect(await viver('image', 'unmount', directory)).toEqual({ code: 0, stdout: '', stderr: '' });
    }
    expect(readMounts().some(({ target }) => target === directory)).toBe(false);
    expect(await viver('image', 'unmount', directory)).toMatchObject({
      code: 1,
      stderr: `viver image: nothing is mounted at ${directory}\n`,
    });
  });

  test('what is no image, or no directory, is told', async () => {
    writeFileSync(folder.at('text.sqfs'), 'x'.repeat(200));
    expect((await viver('image', 'mount', folder.at('text.sqfs'), directory)).stderr).toMatch(/no squashfs image/);
    expect(await viver('image', 'mount', made, folder.at('nowhere'))).toMatchObject({
      code: 1,
      stderr: `viver image: there is no directory ${folder.at('nowhere')}: mkdir ${folder.at('nowhere')}\n`,
    });
    expect((await viver('image', 'mount', made, made)).stderr).toMatch(/is no directory\n$/);
    expect((await viver('image', 'mount', made)).code).toBe(2);
  });
});

describe('as another user', () => {
  test('squashfuse does it where it is there', async () => {
    const program = folder.at('squashfuse');
    writeFileSync(program, `#!/bin/sh\necho "$@" > ${folder.at('words')}\n`);
    chmodSync(program, 0o755);
    await mountImage(made, directory, { isRoot: false, program: async () => program });
    expect(readFileSync(folder.at('words'), 'utf8')).toBe(`${made} ${directory}\n`);
    writeFileSync(program, '#!/bin/sh\necho some words >&2; echo its reason >&2; exit 1\n');
    const failed = mountImage(made, directory, { isRoot: false, program: async () => program });
    await expect(failed).rejects.toThrow(`${program}: its reason`);
  });

  test('without it one line says what is wanted', async () => {
    const alone = { isRoot: false, program: async () => undefined };
    await expect(mountImage(made, directory, alone)).rejects.toThrow(/^mounting needs root, or the program squashfuse/);
    await expect(unmountImage(directory, alone)).rejects.toThrow(`nothing is mounted at ${directory}`);
  });
});

test('only an image is unmounted', () => {
  const mounts = parseMountinfo(
    ['1 0 8:1 / / rw - ext4 /dev/sda1 rw', '2 1 7:0 / /a ro - squashfs /dev/loop0 ro', '3 1 0:5 / /b rw - tmpfs t rw']
      .concat('4 2 0:9 / /a rw - fuse.squashfuse squashfuse rw')
      .join('\n'),
  );
  expect(imageMount(mounts, '/a').id).toBe(4);
  expect(() => imageMount(mounts, '/b')).toThrow('what is mounted at /b is tmpfs and no image: umount /b');
  expect(() => imageMount(mounts, '/c')).toThrow('nothing is mounted at /c');
});
