import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** The Makefile in a checkout of its own whose scripts only write down that they ran, and make what they are to make. */
const checkout = mkdtempSync(join(tmpdir(), 'make-'));
const put = (path: string, text: string, mode = 0o644): void => {
  mkdirSync(dirname(join(checkout, path)), { recursive: true });
  writeFileSync(join(checkout, path), text);
  chmodSync(join(checkout, path), mode);
};
const script = (name: string, ...makes: string[]): string =>
  `#!/bin/sh\nmkdir -p build/kernel && echo ${name} >> build/ran\n${makes.map((path) => `echo > ${path}\n`).join('')}`;

beforeAll(() => {
  cpSync(join(import.meta.dirname, '../../Makefile'), join(checkout, 'Makefile'));
  put('scripts/setup.sh', '#!/bin/sh\n', 0o755);
  put('scripts/kernel.sh', script('kernel', 'build/kernel/version'), 0o755);
  put('scripts/initrd.sh', script('initrd', 'build/viverrd.zst'), 0o755);
  put('node_modules/.bin/node', script('viver', 'build/viver'), 0o755);
  for (const path of ['scripts/apt-packages.txt', 'package.json', 'package-lock.json', 'scripts/executable.ts'])
    put(path, '');
  put('scripts/programs.sh', script('programs'), 0o755);
  for (const path of ['scripts/elf-cut.ts', 'scripts/icu-data.ts', 'scripts/keymaps.ts']) put(path, '');
  for (const path of ['scripts/firmware.sh', 'initrd/firmware-packages.list']) put(path, '');
  for (const path of ['src/a.ts', 'src/b.ts', 'initrd/etc/key', 'initrd/etc/other', 'kernel-config/x.config'])
    put(path, '');
  const makefile = readFileSync(join(checkout, 'Makefile'), 'utf8');
  for (const [path] of makefile.matchAll(/\b(?:scripts|initrd)\/[\w.-]+\.(?:ts|list|sh)\b/g)) {
    if (!execFileSync('sh', ['-c', `[ -e ${path} ] || echo no`], { cwd: checkout, encoding: 'utf8' })) continue;
    put(path, '');
  }
});
afterAll(() => rmSync(checkout, { recursive: true }));

/** What ran. */
function make(...words: string[]): string[] {
  rmSync(join(checkout, 'build/ran'), { force: true });
  execFileSync('make', ['-s', 'initrd', ...words], { cwd: checkout, stdio: 'pipe' });
  const text = execFileSync('sh', ['-c', 'cat build/ran 2>/dev/null || :'], { cwd: checkout, encoding: 'utf8' });
  return text.split('\n').filter((line) => line !== '');
}

test('make makes again for every input that changes, and for none that does not', () => {
  expect(make().sort()).toEqual(['initrd', 'kernel', 'programs', 'viver']);
  expect(make()).toEqual([]);
  rmSync(join(checkout, 'initrd/etc/key'));
  expect(make()).toEqual(['initrd']);
  expect(make()).toEqual([]);
  rmSync(join(checkout, 'src/b.ts'));
  expect(make()).toEqual(['viver', 'initrd']);
  expect(make('COMPRESS=gzip')).toEqual(['initrd']);
  expect(make('COMPRESS=gzip')).toEqual([]);
  expect(make()).toEqual(['initrd']);
  expect(make('KERNEL=6.1.0-50-amd64')).toEqual(['kernel', 'initrd']);
  expect(make()).toEqual(['kernel', 'initrd']);
  execFileSync('touch', ['-d', '+2 seconds', 'kernel-config/x.config'], { cwd: checkout });
  expect(make()).toEqual(['viver', 'initrd']);
});

test.each([
  ['ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04 LTS"\n', 'this is Ubuntu 24.04 LTS'],
  [
    'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n',
    'this is Debian GNU/Linux 11 (bullseye)',
  ],
  ['ID=fedora\nVERSION_ID=43\n', 'this is fedora'],
  ['', 'this is another system'],
])('on a system that it is not built on, make setup ends with one line, before it installs anything', (text, words) => {
  put('os-release', text);
  const run = spawnSync(join(import.meta.dirname, '../../scripts/setup.sh'), {
    env: { PATH: process.env.PATH, OS_RELEASE: join(checkout, 'os-release') },
    encoding: 'utf8',
  });
  expect([run.status, run.stdout]).toEqual([1, '']);
  expect(run.stderr).toMatch(/^setup: VIVER is built on Debian 12 or newer, amd64 .*\n$/);
  expect(run.stderr).toContain(words);
});
