import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { viver } from '../run-viver.ts';
import { smallImage } from './small-images.ts';

const folder = mkdtempSync(join(tmpdir(), 'viver-iso-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

let one = '';
let two = '';
let other = '';
beforeAll(() => {
  one = smallImage(folder, 'one');
  two = smallImage(folder, 'two-images');
  other = smallImage(folder, 'other+name', 7);
  writeFileSync(join(folder, 'one.caibx'), 'index');
});

async function make(name: string, ...words: string[]): Promise<string> {
  const path = join(folder, name);
  const { code, stderr } = await viver('iso', ...words, '-o', path);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return path;
}

function files(iso: string): string[] {
  const text = execFileSync('xorriso', ['-indev', iso, '-find', '/', '-type', 'f'], {
    encoding: 'utf8',
    stdio: 'pipe',
  });
  return text.match(/'[^']*'/g)?.map((name) => name.slice(1, -1)) ?? [];
}

function fileOf(iso: string, path: string): Buffer {
  const out = join(folder, 'extracted');
  rmSync(out, { force: true });
  execFileSync('xorriso', ['-indev', iso, '-osirrox', 'on', '-extract', path, out], { stdio: 'pipe' });
  return readFileSync(out);
}

test('an ISO has the image, what lies beside it, its own kernel and initrd, and every loader', async () => {
  const iso = await make('one.iso', one);
  expect(
    files(iso)
      .filter((path) => !path.endsWith('.id'))
      .sort(),
  ).toEqual([
    '/EFI/BOOT/BOOTIA32.EFI',
    '/EFI/BOOT/BOOTX64.EFI',
    '/EFI/BOOT/grubx64.efi',
    '/EFI/BOOT/mmx64.efi',
    '/boot/grub/grub.cfg',
    '/boot/grub/i386-pc/eltorito.img',
    '/boot/grub/loopback.cfg',
    '/boot/viver.spdx.json',
    '/boot/viverrd.zst',
    '/boot/vmlinuz',
    '/viver/one.caibx',
    '/viver/one.sqfs',
  ]);
  expect(fileOf(iso, '/viver/one.sqfs').equals(readFileSync(one))).toBe(true);
  const vmlinuz = execFileSync('unsquashfs', ['-cat', one, 'boot/vmlinuz']);
  expect(fileOf(iso, '/boot/vmlinuz').equals(vmlinuz)).toBe(true);
  const { partitiontable } = JSON.parse(execFileSync('sfdisk', ['--json', iso], { encoding: 'utf8' }));
  expect(partitiontable.label).toBe('dos');
  expect(partitiontable.partitions.map((each: { type: string }) => each.type)).toEqual(['83', 'ef']);
  const [, efi] = partitiontable.partitions;
  const part = readFileSync(iso).subarray(efi.start * 512, (efi.start + efi.size) * 512);
  writeFileSync(join(folder, 'efi.img'), part);
  execFileSync('fsck.vfat', ['-n', join(folder, 'efi.img')], { stdio: 'pipe' });
  const config = execFileSync('mtype', ['-i', join(folder, 'efi.img'), '::/boot/grub/grub.cfg'], { encoding: 'utf8' });
  const [id] = /(?<=viver_id=)[0-9a-f]{16}/.exec(config) ?? [''];
  expect(files(iso)).toContain(`/boot/grub/${id}.id`);
});

interface Spdx {
  readonly packages: readonly {
    name: string;
    SPDXID: string;
    versionInfo?: string;
    licenseDeclared: string;
    comment?: string;
  }[];
  readonly files: readonly { fileName: string; SPDXID: string; checksums: readonly { checksumValue: string }[] }[];
  readonly relationships: readonly { spdxElementId: string; relationshipType: string; relatedSpdxElement: string }[];
  readonly hasExtractedLicensingInfos: readonly { licenseId: string }[];
}

test('a list in it has every file with its sum and its packages, and says where the image’s own list is', async () => {
  const debian = smallImage(folder, 'debian-like', 1, 1000, {
    'var/lib/dpkg/status': 'Package: hello\nStatus: install ok installed\nVersion: 2.10-3\nArchitecture: amd64\n',
  });
  const iso = await make('listed.iso', debian, other);
  const spdx: Spdx = JSON.parse(fileOf(iso, '/boot/viver.spdx.json').toString());
  const inside = files(iso).filter((path) => !/\.sqfs$|\.spdx\.json$|\/boot\.cat$/.test(path));
  expect(spdx.files.map(({ fileName }) => fileName.slice(1)).sort()).toEqual(inside.sort());
  const namesOf = (id: string): string[] =>
    spdx.relationships
      .filter((each) => each.relationshipType === 'CONTAINS' && each.relatedSpdxElement === id)
      .map((each) => spdx.packages.find(({ SPDXID }) => SPDXID === each.spdxElementId)?.name ?? 'nobody')
      .sort();
  const owners = new Map(spdx.files.map(({ fileName, SPDXID }) => [fileName, namesOf(SPDXID)]));
  for (const { fileName, checksums } of spdx.files) {
    // xorriso writes into the loader where it lies on the CD.
    if (fileName.endsWith('/eltorito.img')) continue;
    const sum = createHash('sha256')
      .update(fileOf(iso, fileName.slice(1)))
      .digest('hex');
    expect(sum, fileName).toBe(checksums[1]?.checksumValue);
  }
  expect(owners.get('./EFI/BOOT/BOOTX64.EFI')).toEqual(['shim-signed']);
  expect(owners.get('./EFI/BOOT/grubx64.efi')).toEqual(['grub-efi-amd64-signed']);
  expect(owners.get('./boot/grub/i386-pc/eltorito.img')).toEqual(['grub-pc-bin']);
  expect(owners.get('./boot/grub/grub.cfg')).toEqual(['viver']);
  expect(owners.get('./boot/debian-like/viverrd.zst')).toEqual(
    expect.arrayContaining(['busybox-static', 'dnsmasq-base', 'ipxe', 'libc6', `node-linux-${process.arch}`, 'viver']),
  );
  const known = new Set(spdx.hasExtractedLicensingInfos.map(({ licenseId }) => licenseId));
  for (const { name, versionInfo, licenseDeclared, comment } of spdx.packages) {
    if (comment?.includes('image') || comment?.includes('in this ISO')) continue;
    expect(versionInfo, name).toMatch(/^\d/);
    for (const licence of licenseDeclared.split(' AND '))
      if (licence.startsWith('LicenseRef-')) expect(known, name).toContain(licence);
  }
  expect(spdx.packages).toContainEqual(
    expect.objectContaining({
      name: 'viver/debian-like.sqfs',
      comment: 'what is in it: viver/debian-like.spdx.json in this ISO',
    }),
  );
  const list: Spdx = JSON.parse(fileOf(iso, '/viver/debian-like.spdx.json').toString());
  expect(list.packages).toMatchObject([{ name: 'hello', versionInfo: '2.10-3' }]);
});

test('the same inputs give the same bytes, at any time', async () => {
  const first = await make('same-1.iso', one, other);
  await sleep(1100);
  const second = await make('same-2.iso', one, other);
  expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
});

test('its date is SOURCE_DATE_EPOCH; what is no time is refused in one line', async () => {
  const before = process.env.SOURCE_DATE_EPOCH;
  try {
    process.env.SOURCE_DATE_EPOCH = '1000000000';
    // ECMA-119, 8.4.26: the volume's creation date. It is moved by up to a year, as it tells ISOs apart.
    const date = readFileSync(await make('dated.iso', one)).toString('latin1', 0x8000 + 813, 0x8000 + 827);
    expect(date >= '20010909014640' && date < '20020909014640', date).toBe(true);
    process.env.SOURCE_DATE_EPOCH = 'yesterday';
    const { code, stderr } = await viver('iso', one, '-o', join(folder, 'undated.iso'));
    expect([code, stderr]).toEqual([1, "viver iso: SOURCE_DATE_EPOCH: 'yesterday' is no time in seconds\n"]);
  } finally {
    if (before === undefined) delete process.env.SOURCE_DATE_EPOCH;
    else process.env.SOURCE_DATE_EPOCH = before;
  }
});

test('what is named by links is in the ISO itself, by the name of the link', async () => {
  mkdirSync(join(folder, 'links'));
  symlinkSync(two, join(folder, 'links/named.sqfs'));
  symlinkSync(join(folder, 'one.caibx'), join(folder, 'links/named.caibx'));
  const iso = await make('links.iso', join(folder, 'links/named.sqfs'));
  expect(fileOf(iso, '/viver/named.sqfs').equals(readFileSync(two))).toBe(true);
  expect(fileOf(iso, '/viver/named.caibx').toString()).toBe('index');
});

test('several images share what is the same byte for byte', async () => {
  const iso = await make('several.iso', one, two, other);
  const names = files(iso);
  expect(names.filter((path) => path.startsWith('/viver/')).sort()).toEqual([
    '/viver/one.caibx',
    '/viver/one.sqfs',
    '/viver/other+name.sqfs',
    '/viver/two-images.sqfs',
  ]);
  expect(names.filter((path) => path.endsWith('vmlinuz')).sort()).toEqual([
    '/boot/one/vmlinuz',
    '/boot/other+name/vmlinuz',
  ]);
  const menu = fileOf(iso, '/boot/grub/grub.cfg').toString();
  expect(menu).toMatch(/linux \/boot\/one\/vmlinuz .* viver\.image=two-images /);
});

test('kernel and initrd of a directory, with the field’s secret behind the initrd', async () => {
  const boot = join(folder, 'boot');
  mkdirSync(boot);
  writeFileSync(join(boot, 'vmlinuz'), 'kernel');
  writeFileSync(join(boot, 'viverrd.zst'), 'initrd');
  writeFileSync(join(boot, 'field-key.cpio'), '070701');
  const iso = await make('boot.iso', one, '--boot', boot);
  expect(fileOf(iso, '/boot/vmlinuz').toString()).toBe('kernel');
  expect(fileOf(iso, '/boot/viverrd.zst').toString('latin1')).toBe('initrd\x00\x00070701');
});

test('what cannot become an ISO is one line, and nothing is left', async () => {
  const bare = join(folder, 'bare.sqfs');
  mkdirSync(join(folder, 'empty'));
  execFileSync('mksquashfs', [join(folder, 'empty'), bare, '-quiet', '-no-progress'], { stdio: 'pipe' });
  mkdirSync(join(folder, 'again'));
  const sameName = smallImage(join(folder, 'again'), 'one');
  writeFileSync(join(folder, 'text.sqfs'), 'no image');
  const out = join(folder, 'none.iso');
  const cases: readonly (readonly [string[], number, RegExp])[] = [
    [[bare], 1, /bare\.sqfs has no file \/boot\/vmlinuz, so it cannot boot: .*--boot DIR\n$/],
    [[one, sameName], 1, /two images are named one: rename one of them\n$/],
    [[join(folder, 'text.sqfs')], 1, /text\.sqfs: /],
    [[join(folder, 'missing.sqfs')], 1, /cannot open .*missing\.sqfs/],
    [[one, '--boot', folder], 1, /vmlinuz is missing/],
    [[], 2, /an IMAGE is missing/],
  ];
  for (const [words, code, line] of cases) {
    const result = await viver('iso', ...words, '-o', out);
    expect(result.code, words.join(' ')).toBe(code);
    expect(result.stderr).toMatch(line);
    if (code === 1) expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
  }
  expect(existsSync(out) || existsSync(`${out}.partial`)).toBe(false);
  expect(statSync(one).size).toBeGreaterThan(0);
});
