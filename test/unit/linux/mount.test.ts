import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { type MountEntry, mount, parseMountinfo, readMounts } from '../../../src/linux/mount.ts';
import { isolated } from './isolated.ts';

let steps: Record<string, unknown>;
beforeAll(async () => {
  steps = (await isolated('linux/mount', ['--mount'])) as Record<string, unknown>;
});

test('a file system is mounted with its flags and its own options', () => {
  expect(steps.entry).toMatchObject({
    type: 'tmpfs',
    source: 'some source',
    root: '/',
    options: expect.arrayContaining(['rw', 'nosuid', 'nodev']),
    superOptions: expect.arrayContaining(['size=1024k', 'mode=700']),
  });
});

test('a bind mount shows the same files and can be read-only by itself', () => {
  expect(steps.bound).toEqual([
    ['a', 'tmpfs'],
    ['b', 'tmpfs'],
  ]);
  expect(steps.readOnly).toBe('EROFS');
});

test('a mount is moved and unmounted', () => {
  expect(steps.moved).toEqual([
    ['c', 'tmpfs'],
    ['b', 'tmpfs'],
  ]);
  expect(steps.gone).toEqual([]);
});

test('unmounting what is not mounted names operation, target and errno', () => {
  expect(steps.error).toMatchObject({
    op: 'umount',
    errno: 22,
    code: 'EINVAL',
    message: 'umount /a: EINVAL (Invalid argument)',
  });
});

test('an unknown file system is ENODEV', () => {
  expect(() => mount({ source: 'x', target: '/', type: 'nosuchfs' })).toThrow('mount x on /: ENODEV (No such device)');
});

test('mountinfo: optional fields and octal escapes, as in the manual page', () => {
  const text =
    '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n' +
    '37 36 0:31 / /a\\040b\\134c\\011\\012 ro - fuse.x\\040y none ro\n' +
    '38 36 0:32 / /plain rw - tmpfs - rw\n';
  expect(parseMountinfo(text)).toEqual([
    {
      id: 36,
      parent: 35,
      major: 98,
      minor: 0,
      root: '/mnt1',
      target: '/mnt2',
      options: ['rw', 'noatime'],
      type: 'ext3',
      source: '/dev/root',
      superOptions: ['rw', 'errors=continue'],
    },
    {
      id: 37,
      parent: 36,
      major: 0,
      minor: 31,
      root: '/',
      target: '/a b\\c\t\n',
      options: ['ro'],
      type: 'fuse.x y',
      source: 'none',
      superOptions: ['ro'],
    },
    expect.objectContaining({ target: '/plain', source: '-' }),
  ]);
});

const word = fc.string({ minLength: 1 }).filter((text) => !/[,\0-]/.test(text) && text.isWellFormed());
const entry: fc.Arbitrary<MountEntry> = fc.record({
  id: fc.nat(),
  parent: fc.nat(),
  major: fc.nat(4095),
  minor: fc.nat(1 << 20),
  root: word.map((text) => `/${text}`),
  target: word.map((text) => `/${text}`),
  options: fc.array(fc.constantFrom('rw', 'ro', 'nosuid'), { minLength: 1 }),
  type: word,
  source: word,
  superOptions: fc.array(fc.constantFrom('rw', 'size=1k'), { minLength: 1 }),
});

function mangle(text: string): string {
  return text.replace(/[ \t\n\\#]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

test('whatever is mounted is found again in the text the kernel writes for it', () => {
  fc.assert(
    fc.property(
      fc.array(entry),
      fc.array(fc.constantFrom('shared:1', 'master:2', 'unbindable')),
      (entries, optional) => {
        const text = entries
          .map((e) => {
            const first = [
              e.id,
              e.parent,
              `${e.major}:${e.minor}`,
              mangle(e.root),
              mangle(e.target),
              e.options.join(','),
            ];
            return [...first, ...optional, '-', mangle(e.type), mangle(e.source), e.superOptions.join(',')].join(' ');
          })
          .join('\n');
        expect(parseMountinfo(text)).toEqual(entries);
      },
    ),
  );
});

test('any other text gives no entry and no error', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseMountinfo(text)));
  expect(parseMountinfo('36 35 x:0 / / rw - ext3 /dev/root rw\n36 35 98:0 / / rw\n')).toEqual([]);
});

test('this process sees its root', () => {
  expect(readMounts().map(({ target }) => target)).toContain('/');
});
