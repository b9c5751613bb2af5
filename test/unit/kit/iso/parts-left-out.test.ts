import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeSquashfs } from '../../../../src/squashfs/superblock.ts';
import { noise } from '../../image/images.ts';
import { viver } from '../run-viver.ts';

const folder = mkdtempSync(join(tmpdir(), 'viver-parts-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const boot = join(folder, 'boot');
beforeAll(() => {
  mkdirSync(boot);
  writeFileSync(join(boot, 'vmlinuz'), noise(10_000, 1));
  writeFileSync(join(boot, 'viverrd.zst'), noise(20_000, 2));
});

const STANZA = 'Package: hello\nStatus: install ok installed\nVersion: 2.10-3\nArchitecture: amd64\n\n';

/** An image whose dpkg status is what `make` puts at its place. */
function image(name: string, make: (status: string, tree: string) => void): string {
  const tree = join(folder, `${name}.tree`);
  mkdirSync(join(tree, 'var/lib/dpkg'), { recursive: true });
  make(join(tree, 'var/lib/dpkg/status'), tree);
  const path = join(folder, `${name}.sqfs`);
  execFileSync('mksquashfs', [tree, path, '-noappend', '-quiet', '-no-progress', '-noF'], { stdio: 'pipe' });
  rmSync(tree, { recursive: true });
  return path;
}

const CASES: Readonly<Record<string, { make: (name: string) => string; why: string }>> = {
  directory: {
    make: (name) => image(name, (status) => mkdirSync(status)),
    why: 'SQFS: /var/lib/dpkg/status is no file but a directory',
  },
  fifo: {
    make: (name) => image(name, (status) => execFileSync('mkfifo', [status])),
    why: 'SQFS: /var/lib/dpkg/status is no file but a fifo',
  },
  huge: {
    make: (name) =>
      image(name, (status) => {
        writeFileSync(status, STANZA);
        truncateSync(status, 33 << 20);
      }),
    why: `SQFS: /var/lib/dpkg/status has ${33 << 20} bytes: too many`,
  },
  endless: {
    make: (name) => image(name, (status) => writeFileSync(status, 'Package:a\nVersion:1\n\n'.repeat(50_001))),
    why: 'SQFS: /var/lib/dpkg/status: more than 50000 packages',
  },
  corrupt: {
    make: (name) => {
      const path = image(name, (status) => writeFileSync(status, STANZA.repeat(10_000)));
      const bytes = readFileSync(path);
      // The first block of data lies behind the superblock; its first bytes are the packer's head.
      bytes.fill(0xff, 96, 96 + 64);
      writeFileSync(path, bytes);
      return path;
    },
    why: 'SQFS: cannot read /var/lib/dpkg/status: ',
  },
  'corrupt-tables': {
    make: (name) => {
      const path = image(name, (status) => writeFileSync(status, STANZA));
      const bytes = readFileSync(path);
      const { bytesUsed } = decodeSquashfs(bytes.subarray(0, 96));
      bytes.fill(0xff, 96, bytesUsed);
      writeFileSync(path, bytes);
      return path;
    },
    why: 'SQFS: ',
  },
};

describe('an ISO of an image whose packages cannot be listed is made, without that list', () => {
  test.each(Object.entries(CASES))('%s', async (name, { make, why }) => {
    const path = make(name);
    const iso = join(folder, `${name}.iso`);
    const { code, stderr } = await viver('iso', path, '--boot', boot, '-o', iso);
    const line = `viver iso: no list of ${name}'s packages in the ISO (/viver/${name}.spdx.json): `;
    expect(stderr.startsWith(line + why.replace('SQFS', path)), stderr).toBe(true);
    expect(stderr.split('\n')).toHaveLength(2);
    expect(code).toBe(0);
    expect(existsSync(iso)).toBe(true);
    const files = execFileSync('xorriso', ['-indev', iso, '-find', '/viver', '-type', 'f'], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    expect(files).toContain(`'/viver/${name}.sqfs'`);
    expect(files).not.toContain('spdx.json');
    rmSync(iso);
  });
});

test('a status cut off in the middle is listed as far as it goes', async () => {
  const path = image('cut', (status) => writeFileSync(status, `${STANZA}Package: half\nStatus: install o`));
  const { code, stderr } = await viver('iso', path, '--boot', boot, '-o', join(folder, 'cut.iso'));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});
