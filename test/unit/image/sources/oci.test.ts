import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { readLayers } from '../../../../src/image/sources/oci/layers.ts';
import { openLayout } from '../../../../src/image/sources/oci/layout.ts';
import { temporaryFolder } from '../images.ts';
import { describeAll } from './described.ts';
import { endMark, member } from './tar-members.ts';

const folder = temporaryFolder();
const { signal } = new AbortController();
let count = 0;
afterAll(() => folder[Symbol.dispose]());

const tar = (...members: Buffer[]): Buffer => Buffer.concat([...members, endMark]);
const file = (name: string, content: string) => member({ name, content });
const directory = (name: string) => member({ name, type: '5' });

/** A layout of its own; gives its directory and where each blob lies. */
function layout(layers: Buffer[], change: (manifest: Record<string, unknown>) => unknown = (all) => all) {
  const path = folder.at(`layout-${count++}`);
  mkdirSync(`${path}/blobs/sha256`, { recursive: true });
  const put = (bytes: Buffer, more: object = {}) => {
    const digest = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(`${path}/blobs/sha256/${digest}`, bytes);
    return { digest: `sha256:${digest}`, size: bytes.length, ...more };
  };
  const config = put(Buffer.from('{}'));
  const manifest = change({ schemaVersion: 2, config, layers: layers.map((layer) => put(layer)) });
  const described = put(Buffer.from(JSON.stringify(manifest)), {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
  });
  writeFileSync(`${path}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(`${path}/index.json`, JSON.stringify({ schemaVersion: 2, manifests: [described] }));
  const blobs = layers.map((layer) => `${path}/blobs/sha256/${createHash('sha256').update(layer).digest('hex')}`);
  return { path, blobs, manifest: described };
}

const read = async (path: string) => {
  const found = await describeAll(readLayers(openLayout(path), signal));
  return Object.fromEntries([...found].map(([name, { kind, size, target }]) => [name, target ?? size ?? kind]));
};

test('layers lie over each other, packed or not, and whiteouts take away what is below', async () => {
  const { path } = layout([
    gzipSync(
      tar(
        directory('etc/'),
        file('etc/a', 'lower'),
        file('etc/gone', 'x'),
        directory('old'),
        file('old/one', '1'),
        file('old/two', '2'),
        directory('all'),
        file('all/below', 'x'),
        file('turned', 'a file'),
        directory('dir'),
        file('dir/in', 'x'),
      ),
    ),
    zstdCompressSync(
      tar(
        file('etc/a', 'the upper one'),
        file('etc/.wh.gone', ''),
        file('.wh.old', ''),
        directory('all'),
        file('all/.wh..wh..opq', ''),
        file('all/new', 'new'),
        directory('turned'),
        file('turned/into', 'x'),
        file('dir', 'a file now'),
      ),
    ),
    tar(directory('old'), file('old/three', '3')),
  ]);
  expect(await read(path)).toEqual({
    all: 'directory',
    'all/new': 3,
    dir: 10,
    etc: 'directory',
    'etc/a': 13,
    old: 'directory',
    'old/three': 1,
    turned: 'directory',
    'turned/into': 1,
  });
});

test('a hard link may lead to a file of a lower layer', async () => {
  const { path } = layout([tar(file('a', 'abc')), tar(member({ name: 'b', type: '1', linkName: 'a' }))]);
  const order: string[] = [];
  for await (const entry of readLayers(openLayout(path), signal)) order.push(`${entry.path}:${entry.kind}`);
  expect(order).toEqual(['a:file', 'b:hardlink']);
});

test('of several architectures this one is taken, also from an index in the index', async () => {
  const { path, manifest } = layout([tar(file('a', 'abc'))]);
  const mine = process.arch === 'x64' ? 'amd64' : process.arch;
  const other = { ...manifest, digest: `sha256:${'0'.repeat(64)}`, platform: { architecture: 'riscv64', os: 'linux' } };
  const inner = Buffer.from(
    JSON.stringify({ manifests: [other, { ...manifest, platform: { architecture: mine, os: 'linux' } }] }),
  );
  const digest = createHash('sha256').update(inner).digest('hex');
  writeFileSync(`${path}/blobs/sha256/${digest}`, inner);
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  writeFileSync(
    `${path}/index.json`,
    JSON.stringify({ manifests: [{ mediaType, digest: `sha256:${digest}`, size: inner.length }] }),
  );
  expect(await read(path)).toEqual({ a: 3 });
  writeFileSync(`${path}/index.json`, JSON.stringify({ manifests: [other] }));
  await expect(read(path)).rejects.toThrow('it has no image for');
});

describe('what is wrong is said in one line', () => {
  test.each<[string, Buffer]>([
    ['plain', tar(file('a', 'x'.repeat(5000)))],
    ['gzip', gzipSync(tar(file('a', 'x'.repeat(5000))))],
    ['zstd', zstdCompressSync(tar(file('a', 'x'.repeat(5000))))],
  ])('a layer that is not what its digest says: %s', async (_name, layer) => {
    const { path, blobs } = layout([layer]);
    const bytes = Buffer.concat([readFileSync(blobs[0] ?? '')]);
    const at = bytes.length - (bytes[0] === 0x61 ? 10 : 1);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(blobs[0] ?? '', bytes);
    await expect(read(path)).rejects.toThrow(/has the digest [0-9a-f]{64}: it is damaged|cannot unpack .* by/);
  });

  test('a layer cut short', async () => {
    const { path, blobs } = layout([tar(file('a', 'x'))]);
    truncateSync(blobs[0] ?? '', 700);
    await expect(read(path)).rejects.toThrow(/the blob [0-9a-f]{64} has 700 bytes, 2048 were said$/);
  });

  test.each<[string, (path: string) => void, RegExp]>([
    ['no index.json', (path) => rmSync(`${path}/index.json`), /^oci:.*ENOENT.*index\.json/],
    ['no JSON', (path) => writeFileSync(`${path}/index.json`, '{'), /index\.json is no JSON/],
    ['an array', (path) => writeFileSync(`${path}/index.json`, '[]'), /index\.json is no JSON object/],
    ['nothing in it', (path) => writeFileSync(`${path}/index.json`, '{}'), /it has no image for/],
    [
      'a digest that leads elsewhere',
      (path) =>
        writeFileSync(`${path}/index.json`, '{"manifests":[{"digest":"sha256:../../../../etc/passwd","size":1}]}'),
      /is no SHA-256 digest/,
    ],
  ])('%s', async (_what, spoil, message) => {
    const { path } = layout([tar(file('a', 'x'))]);
    spoil(path);
    await expect(read(path)).rejects.toThrow(message);
  });

  test('no layers, or several images', async () => {
    await expect(read(layout([], (manifest) => ({ ...manifest, layers: 'x' })).path)).rejects.toThrow(
      'names no layers',
    );
    const { path, manifest } = layout([tar(file('a', 'x'))]);
    writeFileSync(`${path}/index.json`, JSON.stringify({ manifests: [manifest, manifest] }));
    await expect(read(path)).rejects.toThrow('it has several images');
  });
});
