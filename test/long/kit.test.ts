import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { BUILD, CHECKOUT, vmDirectory } from '../vm/harness/products.ts';
import { mmdebstrap } from '../vm/harness/variant-image.ts';

const run = promisify(execFile);
const LONG_MS = 1_800_000;
const TAR = join(BUILD, 'viver-kit.tar.zst');
const DEB = join(BUILD, `viver_${manifest.version}_amd64.deb`);

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(vmDirectory('disks'), 'kit-'));
  await run('make', ['-s', 'kit'], { cwd: CHECKOUT, maxBuffer: 1 << 24 });
}, LONG_MS);
afterAll(() => rm(folder, { recursive: true, force: true }));

const sha256 = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

/** Commands in a root, as root there, with /proc, /dev and a /tmp of their own. */
async function inRoot(root: string, shell: string): Promise<string> {
  const script = `mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; mount -t tmpfs tmp "$0/tmp"; exec chroot "$0" /bin/sh -euc "$1"`;
  const words = ['--mount', '--propagation', 'private', 'sh', '-euc', script, root, shell];
  return (await run('unshare', words, { maxBuffer: 1 << 24, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } })).stdout;
}

test('the same sources give the same kit', { timeout: LONG_MS }, async () => {
  const before = [await sha256(TAR), await sha256(DEB)];
  await run('scripts/kit/kit.sh', [BUILD], { cwd: CHECKOUT, maxBuffer: 1 << 24 });
  expect([await sha256(TAR), await sha256(DEB)]).toEqual(before);
});

test('the tar works where there is nothing else: no C library, no program but a shell', {
  timeout: LONG_MS,
}, async () => {
  const root = join(folder, 'nothing');
  for (const directory of ['bin', 'tmp', 'proc', 'dev', 'lib']) await mkdir(join(root, directory), { recursive: true });
  await run('tar', ['--zstd', '-xf', TAR, '-C', root]);
  const shell = `cp /bin/busybox ${root}/bin/; for name in sh readlink dirname cat; do ln -s busybox ${root}/bin/$name; done
cp -r ${BUILD}/kernel/lib/modules ${root}/lib/; cp ${BUILD}/debian.sqfs ${BUILD}/debian.caibx ${root}/`;
  await run('sh', ['-euc', shell]);
  const said = await inRoot(
    root,
    `viver=/viver-kit/bin/viver; $viver --version; $viver initrd -o /made.zst --level 1
$viver image info /debian.sqfs --json; $viver image cat /debian.sqfs etc/hostname; $viver iso /debian.sqfs -o /made.iso`,
  );
  expect(said).toContain(`viver ${manifest.version}\n`);
  expect(said).toMatch(/\/made\.zst: \d+ bytes, \d+ modules/);
  expect(said).toMatch(/\/made\.iso: \d+ bytes, boots debian/);
  await rm(root, { recursive: true });
});

test.each(['bookworm', 'trixie'])(
  'the package installs, works and goes without a trace: %s',
  { timeout: LONG_MS },
  async (suite) => {
    const tar = join(folder, `${suite}.tar`);
    await mmdebstrap(suite, ['--variant=minbase'], tar, folder);
    const root = join(folder, suite);
    await mkdir(root);
    await run('tar', ['-xf', tar, '-C', root]);
    await run('sh', [
      '-euc',
      `cp ${DEB} ${root}/viver.deb; mkdir -p ${root}/usr/lib/modules; cp -r ${BUILD}/kernel/lib/modules/* ${root}/usr/lib/modules/`,
    ]);
    const list =
      'find / -xdev ! -path "/proc/*" ! -path "/var/lib/dpkg/*" ! -path "/var/log/*" ! -path "/var/cache/*" | sort';
    const before = await inRoot(root, list);
    const said = await inRoot(
      root,
      'dpkg -i /viver.deb; viver --version; viver initrd -o /tmp/made.zst --level 1; viver help stick',
    );
    expect(said).toContain(`viver ${manifest.version}\n`);
    expect(said).toMatch(/\/tmp\/made\.zst: \d+ bytes, \d+ modules/);
    await inRoot(root, 'dpkg --verify viver; dpkg --purge viver');
    expect(await inRoot(root, list)).toBe(before);
    await rm(root, { recursive: true });
  },
);

test('lintian finds no error in the package', { timeout: LONG_MS }, async () => {
  const { stdout } = await run('lintian', ['--allow-root', '--fail-on', 'error', DEB], { maxBuffer: 1 << 24 });
  expect(stdout).not.toMatch(/^E:/m);
});

interface Spdx {
  readonly packages: readonly {
    readonly name: string;
    readonly SPDXID: string;
    readonly versionInfo: string;
    readonly licenseDeclared: string;
    readonly sourceInfo: string;
  }[];
  readonly files: readonly {
    readonly fileName: string;
    readonly SPDXID: string;
    readonly checksums: readonly { readonly algorithm: string; readonly checksumValue: string }[];
  }[];
  readonly relationships: readonly {
    readonly spdxElementId: string;
    readonly relationshipType: string;
    readonly relatedSpdxElement: string;
  }[];
  readonly hasExtractedLicensingInfos: readonly { readonly licenseId: string }[];
}

test('the SPDX list names every file inside with its sum, and a package with version, licence and source for each', {
  timeout: LONG_MS,
}, async () => {
  await run('tar', ['--zstd', '-xf', TAR, '-C', folder]);
  const kit = join(folder, 'viver-kit');
  const spdx = JSON.parse(await readFile(join(kit, 'share/doc/viver/viver.spdx.json'), 'utf8')) as Spdx;
  const inside = (await readdir(kit, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(kit.length + 1))
    // The list itself, and the licence texts that it stands for.
    .filter((path) => !path.startsWith('share/doc/viver/'))
    .sort();
  expect(spdx.files.map(({ fileName }) => fileName.slice(2)).sort()).toEqual(inside);
  for (const { fileName, SPDXID, checksums } of spdx.files) {
    const sum = checksums.find(({ algorithm }) => algorithm === 'SHA256')?.checksumValue;
    expect(await sha256(join(kit, fileName)), fileName).toBe(sum);
    const owners = spdx.relationships.filter(
      (each) => each.relatedSpdxElement === SPDXID && each.relationshipType === 'CONTAINS',
    );
    expect(owners.length, fileName).toBeGreaterThan(0);
  }
  const texts = await readdir(join(kit, 'share/doc/viver/licences'));
  const extracted = new Set(spdx.hasExtractedLicensingInfos.map(({ licenseId }) => licenseId));
  for (const { name, versionInfo, licenseDeclared, sourceInfo } of spdx.packages) {
    expect(texts, name).toContain(name);
    expect(sourceInfo).toMatch(/^source package: \S+ \S+/);
    for (const licence of licenseDeclared.split(' AND ')) {
      if (licence.startsWith('LicenseRef-')) expect(extracted, licence).toContain(licence);
    }
    if (name === 'viver' || name === 'netlink' || name.startsWith('node-linux')) continue;
    const { stdout } = await run('dpkg-query', ['-W', '-f', '\u0024{Version}\n', name]);
    expect(stdout.split('\n')[0], name).toBe(versionInfo);
  }
});
