import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kitAt } from '../../../../src/kit/initrd/kit-files.ts';
import { type InitrdRequest, makeInitrd } from '../../../../src/kit/initrd/make-initrd.ts';
import { kernelModules } from '../../hardware/kernel-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'make-initrd-'));
afterAll(() => rmSync(folder, { recursive: true }));

const modules = kernelModules();
const version = modules.slice(modules.lastIndexOf('/') + 1);
/** The root that has those modules. */
const tree = modules.slice(0, modules.indexOf('/lib/modules'));
const kitDirectory = join(folder, 'kit');
/** This machine's depmod and xz, and a kit of its own: few modules, one program. */
const kit = { ...kitAt(kitDirectory), tools: undefined };

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode });
}

beforeAll(() => {
  put(
    join(kit.tables, 'modules.list'),
    '# a comment\nfs/isofs/**\nsquashfs   # reason\ndrivers/net/ethernet/broadcom/bnx2*\n',
  );
  put(join(kit.tables, 'uncompressed.list'), 'squashfs\n');
  put(join(kit.tables, 'early.list'), '* squashfs isofs\n');
  put(join(kit.tables, 'firmware.list'), 'chosen/*\n');
  put(join(kit.tables, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\n');
  put(join(kit.tables, 'etc/viver/keys/.gitkeep'), '');
  put(join(kit.tables, 'sbin/init'), '#!/bin/sh\n', 0o755);
  put(join(kit.programs, 'bin/busybox'), 'busybox', 0o700);
  put(join(kit.programs, 'lib64/ld-linux-x86-64.so.2'), 'loader', 0o755);
  symlinkSync('busybox', join(kit.programs, 'bin/sh'));
  put(kit.executable, 'viver', 0o755);
  put(join(kit.tables, 'first-stage.list'), 'drivers/net/ethernet/broadcom/tg3*\n');
  put(join(kit.tables, 'first-stage.init'), '#!/bin/busybox sh\n');
  put(join(kit.firstStage, 'bin/busybox'), 'busybox', 0o755);
});

async function make(name: string, more: Partial<InitrdRequest> = {}) {
  const output = join(folder, `${name}.cpio`);
  const made = await makeInitrd({ tree, kernel: version, output, compression: 'none', level: 1, kit, ...more });
  return { ...made, output, bytes: readFileSync(output) };
}

/** cpio's own listing, modes and names. */
function list(archive: Uint8Array): string[] {
  const text = execFileSync('cpio', ['-itv', '--quiet'], { input: archive, encoding: 'utf8', maxBuffer: 1 << 24 });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^(\S+)\s.*\s\S+\s+\d+\s+\d{4} /, '$1 '));
}

function unpack(archive: Uint8Array, into: string): string {
  mkdirSync(into);
  execFileSync('cpio', ['-id', '--quiet'], { cwd: into, input: archive });
  return into;
}

test('the initrd has the programs, the tables’ files and the chosen modules, in the order that the kernel wants', async () => {
  const { bytes, kernel, memoryMib, keyArchive } = await make('whole');
  expect(kernel).toBe(version);
  expect(keyArchive).toBeUndefined();
  const rows = list(bytes);
  for (const row of [
    'drwxr-xr-x oldroot',
    '-rw-r--r-- etc/passwd',
    '-rwxr-xr-x sbin/init',
    '-rwxr-xr-x bin/busybox',
    'lrwxrwxrwx bin/sh -> busybox',
    'lrwxrwxrwx usr/bin/viver -> ../../init',
    'lrwxrwxrwx shutdown -> init',
    'drwxr-xr-x etc/viver/keys',
  ])
    expect(rows).toContain(row);
  expect(rows.slice(-2)).toEqual(['-rwxr-xr-x init', '-rwxr-xr-x lib64/ld-linux-x86-64.so.2']);
  expect(rows.filter((row) => row.includes('.list') || row.includes('.gitkeep'))).toEqual([]);
  const names = rows.map((row) => row.split(' ')[1]);
  expect(new Set(names).size).toBe(names.length);
  // Behind the trailer, where only the kernel looks.
  expect(bytes.lastIndexOf('dev/console\0')).toBeGreaterThan(bytes.indexOf('TRAILER!!!'));
  const root = unpack(bytes, join(folder, 'whole'));
  expect(readFileSync(join(root, 'etc/viver/memory-needed'), 'utf8')).toBe(`${memoryMib}\n`);
  const depends = ['-d', root, '-S', version, '--show-depends'];
  const modprobe = (name: string) => execFileSync('modprobe', [...depends, name], { encoding: 'utf8' });
  expect(modprobe('squashfs')).toMatch(/\/squashfs\.ko\s*$/m);
  expect(modprobe('isofs')).toMatch(/\/isofs\.ko\.zst\s*$/m);
  const table = (name: string) => readFileSync(join(root, `lib/modules/${version}`, name), 'utf8');
  expect(table('modules.firmware')).toMatch(/^bnx2: bnx2\//m);
  expect(table('modules.early')).toMatch(/^\* \S*\/squashfs\.ko async_probe=1\n$/);
});

test('the first stage has its script as /init, network drivers as they are, and nothing of the initrd', async () => {
  const firstStage = join(folder, 'first-stage.zst');
  await make('beside', { firstStage });
  const rows = list(zstdDecompressSync(readFileSync(firstStage)));
  for (const row of ['-rwxr-xr-x init', '-rwxr-xr-x bin/busybox']) expect(rows).toContain(row);
  expect(rows.filter((row) => /\.ko/.test(row)).map((row) => row.replace(/.*\//, ''))).toEqual(
    expect.arrayContaining(['tg3.ko', 'libphy.ko']),
  );
  expect(rows.some((row) => /\.ko\.|bnx2|lib64|usr\/bin/.test(row))).toBe(false);
});

test('the same inputs give the same bytes, and the time is the one asked for', async () => {
  const [first, second] = [await make('first'), await make('second')];
  expect(first.bytes.equals(second.bytes)).toBe(true);
  process.env.SOURCE_DATE_EPOCH = '86400';
  try {
    const { bytes } = await make('dated');
    const listed = execFileSync('cpio', ['-itv', '--quiet'], { input: bytes, encoding: 'utf8', env: { TZ: 'UTC' } });
    expect(listed).toMatch(/Jan\s+2\s+1970 bin$/m);
  } finally {
    delete process.env.SOURCE_DATE_EPOCH;
  }
});

/** A root with a few modules and links as distributions have them. */
function ownTree(name: string, pack: (file: string) => void): string {
  const root = join(folder, name);
  const target = join(root, 'usr/lib/modules', version);
  const names = [
    'squashfs',
    'isofs',
    'cdrom',
    'udf',
    'crc-itu-t',
    'bnx2',
    'bnx2x',
    'libcrc32c',
    'ptp',
    'pps_core',
    'mdio',
  ];
  for (const path of readdirSync(modules, { recursive: true, encoding: 'utf8' })) {
    if (!names.some((each) => path.endsWith(`/${each}.ko`))) continue;
    mkdirSync(dirname(join(target, path)), { recursive: true });
    cpSync(join(modules, path), join(target, path));
    pack(join(target, path));
  }
  for (const table of ['modules.builtin', 'modules.builtin.modinfo']) cpSync(join(modules, table), join(target, table));
  // As seen from inside the tree.
  symlinkSync('/usr/lib', join(root, 'lib'));
  mkdirSync(join(folder, `${name}-depmod/lib`), { recursive: true });
  symlinkSync(join(root, 'usr/lib/modules'), join(folder, `${name}-depmod/lib/modules`));
  execFileSync('depmod', ['-b', join(folder, `${name}-depmod`), version], { stdio: 'pipe' });
  return root;
}

test('modules packed by xz or zstd keep their own bytes', async () => {
  const plain = unpack((await make('plain', { tree: ownTree('tree-plain', () => {}) })).bytes, join(folder, 'plain'));
  for (const [suffix, command] of Object.entries({ xz: 'xz -1', zst: 'zstd -q --rm' })) {
    const packed = ownTree(`tree-${suffix}`, (file) => execFileSync('sh', ['-c', `${command} ${file}`]));
    const root = unpack((await make(suffix, { tree: packed })).bytes, join(folder, suffix));
    const difference = ['-r', join(plain, 'lib/modules'), join(root, 'lib/modules')];
    expect(execFileSync('diff', difference, { encoding: 'utf8' })).toBe('');
  }
});

test('firmware that the modules name or a row chooses comes along, from every tree', async () => {
  const own = ownTree('tree-firmware', () => {});
  put(join(own, 'usr/lib/firmware/chosen/a.bin'), 'row');
  put(join(own, 'usr/lib/firmware/other/b.bin'), 'not wanted');
  const more = join(folder, 'more-firmware');
  const [named = ''] =
    /bnx2\/\S+/.exec(readFileSync(join(folder, `whole/lib/modules/${version}/modules.firmware`), 'utf8')) ?? [];
  put(join(more, 'lib/firmware', `${named}.xz`), 'packed already');
  put(join(own, `boot/config-${version}`), 'CONFIG_FW_LOADER_COMPRESS_XZ=y\n');
  put(join(own, 'usr/lib/firmware/chosen/large.bin'), 'x'.repeat(40_000));
  const { bytes, firmwareFiles } = await make('firmware', { tree: own, firmware: [more] });
  expect(firmwareFiles).toBe(3);
  const rows = list(bytes).filter((row) => row.startsWith('-') && row.includes('lib/firmware/'));
  expect(rows.map((row) => row.split(' ')[1])).toEqual(
    [`lib/firmware/${named}.xz`, 'lib/firmware/chosen/a.bin', 'lib/firmware/chosen/large.bin.xz'].sort(),
  );
});

test('zstd, gzip and xz give what the kernel can unpack', async () => {
  const { bytes } = await make('uncompressed');
  const zstd = await make('zstd', { compression: 'zstd' });
  expect(zstdDecompressSync(zstd.bytes).equals(bytes)).toBe(true);
  const gzip = await make('gzip', { compression: 'gzip' });
  expect(execFileSync('gzip', ['-dc'], { input: gzip.bytes, maxBuffer: 1 << 26 }).equals(bytes)).toBe(true);
  const xz = await make('xz', { compression: 'xz' });
  expect(execFileSync('xz', ['-dc'], { input: xz.bytes, maxBuffer: 1 << 26 }).equals(bytes)).toBe(true);
  expect(execFileSync('xz', ['--robot', '--list', xz.output], { encoding: 'utf8' })).toMatch(/\tCRC32\t/);
});

test('the field’s secret is not in the initrd but in an archive of its own', async () => {
  put(join(kit.tables, 'etc/viver/field.key'), 'secret of the field\n', 0o600);
  try {
    const { bytes, keyArchive = '' } = await make('secret');
    expect(bytes.includes('secret of the field')).toBe(false);
    expect(list(readFileSync(keyArchive))).toEqual(['-r-------- etc/viver/field.key']);
  } finally {
    rmSync(join(kit.tables, 'etc/viver/field.key'));
  }
  // Whose it is nobody knows: it is not removed, but told of.
  const { keyArchive, otherKey = '' } = await make('secret');
  expect(keyArchive).toBeUndefined();
  expect(list(readFileSync(otherKey))).toEqual(['-r-------- etc/viver/field.key']);
});

test('what is added lies over the rest', async () => {
  put(join(folder, 'overlay/etc/passwd'), 'mine\n');
  put(join(folder, 'overlay/etc/viver/keys/me.pub'), 'key\n');
  const root = unpack((await make('added', { overlays: [join(folder, 'overlay')] })).bytes, join(folder, 'added'));
  expect(readFileSync(join(root, 'etc/passwd'), 'utf8')).toBe('mine\n');
  expect(existsSync(join(root, 'etc/viver/keys/me.pub'))).toBe(true);
});

test('what is lacking is one line, and no file is left', async () => {
  await expect(make('no-kernel', { kernel: '1.2.3' })).rejects.toThrow(`no modules of 1.2.3 (there: ${version})`);
  const bare = join(folder, 'bare');
  mkdirSync(join(bare, 'lib/modules', version, 'kernel'), { recursive: true });
  await expect(make('bare', { tree: bare })).rejects.toThrow(`run depmod -b ${bare} ${version}`);
  await expect(make('nothing', { tree: join(folder, 'overlay') })).rejects.toThrow('there: none at all');
  const stop = AbortSignal.abort(new Error('ended by SIGINT'));
  await expect(make('stopped', { signal: stop })).rejects.toThrow('ended by SIGINT');
  const left = readdirSync(folder).filter((name) => /^(no-kernel|bare|nothing|stopped)\.cpio/.test(name));
  expect(left).toEqual([]);
});
