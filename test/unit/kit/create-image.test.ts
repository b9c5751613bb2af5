import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readIndexFile } from '../../../src/image/index-file.ts';
import { resolveSource } from '../../../src/image/sources/source.ts';
import { createImage } from '../../../src/kit/create-image.ts';
import { noise, sha256, temporaryFolder } from '../image/images.ts';

const folder = temporaryFolder();
const tree = folder.at('tree');
const tar = folder.at('tree.tar');
const signal = new AbortController().signal;
let count = 0;
const newPath = (): string => folder.at(`image-${count++}.sqfs`);
const hashOf = (path: string): string => sha256(readFileSync(path));

beforeAll(() => {
  mkdirSync(`${tree}/sub`, { recursive: true });
  writeFileSync(`${tree}/sub/noise`, noise(1_000_000));
  writeFileSync(`${tree}/program`, '#!/bin/sh\n');
  chmodSync(`${tree}/program`, 0o4755);
  chmodSync(`${tree}/sub`, 0o1777);
  execFileSync('ln', ['-s', 'program', `${tree}/link`]);
  execFileSync('setcap', ['cap_net_raw+ep', `${tree}/sub/noise`]);
  execFileSync('tar', ['--xattrs', '--xattrs-include=*', '--owner=1234', '--group=56', '-C', tree, '-cf', tar, '.']);
  process.env.SOURCE_DATE_EPOCH = '1700000000';
});
afterAll(() => folder[Symbol.dispose]());

/** `viver ARGS…` in a process of its own, its standard input a pipe. */
function viverProcess(...args: string[]) {
  const script = folder.at('viver.mjs');
  const main = import.meta.resolve('../../../src/kit/main.ts');
  writeFileSync(
    script,
    `import { runCommand } from '${main}'; process.exitCode = await runCommand(process.argv.slice(2));`,
  );
  const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => undefined);
  const ended = new Promise<{ code: number | null; stderr: string }>((done) => {
    child.once('close', (code) => done({ code, stderr }));
  });
  return { stdin: child.stdin, kill: (signal: NodeJS.Signals) => child.kill(signal), ended };
}

/** What unsquashfs says is in an image: mode, owner, name. */
function listing(image: string): string[] {
  const lines = execFileSync('unsquashfs', ['-lln', image], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => line.replace(/ +\d+ \d{4}-\d\d-\d\d \d\d:\d\d /, ' '));
}

function capabilities(image: string): string {
  const output = folder.at(`out-${count++}`);
  execFileSync('unsquashfs', ['-q', '-n', '-d', output, image], { stdio: 'pipe' });
  return execFileSync('getcap', [`${output}/sub/noise`], { encoding: 'utf8' });
}

describe('createImage', () => {
  test('keeps modes, links and attributes of a directory, and makes the index beside it', async () => {
    const path = newPath();
    const { index } = await createImage(await resolveSource(tree), path, { signal });
    expect(listing(path)).toContain('-rwsr-xr-x 0/0 squashfs-root/program');
    expect(listing(path)).toContain('drwxrwxrwt 0/0 squashfs-root/sub');
    expect(listing(path)).toContain('lrwxrwxrwx 0/0 squashfs-root/link -> program');
    expect(capabilities(path)).toContain('cap_net_raw=ep');
    expect((await readIndexFile(path.replace('.sqfs', '.caibx'))).id).toBe(index.id);
  });

  test('the same input gives the same bytes when SOURCE_DATE_EPOCH is set', async () => {
    const [first, second] = [newPath(), newPath()];
    await createImage({ kind: 'directory', path: tree }, first, { signal });
    execFileSync('touch', [`${tree}/program`]); // later than it all the same
    await createImage({ kind: 'directory', path: tree }, second, { signal });
    expect(hashOf(second)).toBe(hashOf(first));
  });

  test('a tar gives its owners, modes and attributes, those of its root too', async () => {
    const path = newPath();
    await createImage(await resolveSource(tar), path, { signal });
    expect(listing(path)[0]).toBe('drwxr-xr-x 1234/56 squashfs-root');
    expect(listing(path)).toContain('-rwsr-xr-x 1234/56 squashfs-root/program');
    expect(capabilities(path)).toContain('cap_net_raw=ep');
  });

  test('a tar that does not say what its root is gets one that only root can write to', async () => {
    const path = newPath();
    writeFileSync(folder.at('rootless.tar'), execFileSync('tar', ['-C', tree, '-c', 'sub'], { maxBuffer: 1e8 }));
    await createImage({ kind: 'tar', path: folder.at('rootless.tar') }, path, { signal, level: 1 });
    expect(listing(path)[0]).toBe('drwxr-xr-x 0/0 squashfs-root');
  });

  test('a tar packed by gzip or zstd gives the image that the plain one gives', async () => {
    const content = readFileSync(tar);
    const hashes = new Set<string>();
    for (const [name, bytes] of Object.entries({
      plain: content,
      gzip: gzipSync(content),
      zstd: zstdCompressSync(content),
    })) {
      const path = newPath();
      writeFileSync(folder.at(name), bytes);
      await createImage({ kind: 'tar', path: folder.at(name) }, path, { signal });
      hashes.add(hashOf(path));
    }
    expect(hashes.size).toBe(1);
  });

  test('a tar on standard input', async () => {
    const path = newPath();
    const command = viverProcess('image', 'create', '-', '-o', path, '--no-kernel');
    command.stdin.end(readFileSync(tar));
    expect(await command.ended).toEqual({ code: 0, stderr: expect.stringMatching(/^[^\n]*: no SPDX list [^\n]*\n$/) });
    expect(listing(path)).toContain('-rwsr-xr-x 1234/56 squashfs-root/program');
  });

  test('ends on SIGINT though its input never does', async () => {
    const path = newPath();
    const command = viverProcess('image', 'create', '-', '-o', path, '--no-kernel');
    // More than a pipe holds, so once it is written the command is at work on it.
    await new Promise((done) => command.stdin.write(readFileSync(tar).subarray(0, 400_000), done));
    command.kill('SIGINT');
    expect(await command.ended).toEqual({ code: 1, stderr: 'viver image: ended by SIGINT\n' });
    expect(readdirSync(folder.path).filter((name) => path.endsWith(name))).toEqual([]);
    expect(readdirSync(folder.path).filter((name) => name.includes('.part'))).toEqual([]);
  });

  test('what was there stays when the new one fails at its end', async () => {
    const path = newPath();
    writeFileSync(path, 'old');
    mkdirSync(path.replace('.sqfs', '.caibx')); // where no index can be put
    await expect(createImage({ kind: 'tar', path: tar }, path, { signal })).rejects.toThrow('caibx');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder.path).filter((name) => name.includes('.part'))).toEqual([]);
  });

  test('two at once to one output: each is whole, the later stays', async () => {
    const path = newPath();
    const source = { kind: 'tar', path: tar } as const;
    await Promise.all([createImage(source, path, { signal }), createImage(source, path, { signal })]);
    expect((await readIndexFile(path.replace('.sqfs', '.caibx'))).size).toBe(readFileSync(path).length);
    expect(capabilities(path)).toContain('cap_net_raw');
  });

  test('replaces what was there, and takes away the signature that fits no more', async () => {
    const path = newPath();
    const { index, signature } = {
      index: path.replace('.sqfs', '.caibx'),
      signature: path.replace('.sqfs', '.caibx.minisig'),
    };
    for (const file of [path, index, signature]) writeFileSync(file, 'old');
    await createImage({ kind: 'directory', path: tree }, path, { signal });
    expect(existsSync(signature)).toBe(false);
    expect((await readIndexFile(index)).size).toBe(readFileSync(path).length);
  });

  test.each<[string, (path: string) => void, RegExp]>([
    ['an empty file', (path) => writeFileSync(path, ''), /: it is empty, no tar$/],
    ['what is no tar', (path) => writeFileSync(path, noise(10_000)), /: it is no tar$/],
    [
      'a tar cut short',
      (path) => writeFileSync(path, readFileSync(tar).subarray(0, 300_000)),
      /, \.\/sub\/noise: it is cut short: its data ends too early$/,
    ],
    [
      'a gzip cut short',
      (path) => writeFileSync(path, gzipSync(readFileSync(tar)).subarray(0, 300_000)),
      /cannot unpack .* by gzip/,
    ],
    [
      'a zstd gone bad',
      (path) => writeFileSync(path, Buffer.concat([Buffer.from('28b52ffd', 'hex'), noise(1000)])),
      /cannot unpack .* by zstd/,
    ],
    [
      'an xz cut short',
      (path) => writeFileSync(path, execFileSync('xz', ['-c', tar], { maxBuffer: 1e8 }).subarray(0, 300_000)),
      /cannot unpack .* by xz/,
    ],
  ])('%s is an error, and what was there before is left', async (_what, write, message) => {
    const path = newPath();
    const source = `${path}.tar`;
    write(source);
    writeFileSync(path, 'old');
    await expect(createImage({ kind: 'tar', path: source }, path, { signal })).rejects.toThrow(message);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder.path).filter((name) => name.includes('.part'))).toEqual([]);
  });

  test('a low level gives a larger image of the same files', async () => {
    const [text, low, high] = [folder.at('text.tar'), newPath(), newPath()];
    const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i} of ${i % 37}, ${(i * 7919) % 1009}\n`).join('');
    writeFileSync(folder.at('text'), lines);
    execFileSync('tar', ['-C', folder.path, '-cf', text, 'text']);
    await createImage({ kind: 'tar', path: text }, low, { signal, level: 1 });
    await createImage({ kind: 'tar', path: text }, high, { signal, level: 22 });
    expect(readFileSync(low).length).toBeGreaterThan(readFileSync(high).length);
    expect(listing(low)).toEqual(listing(high));
  });

  test('does not pack itself, nor what was there before', async () => {
    const path = `${tree}/sub/x.sqfs`;
    for (const stale of [path, path.replace('.sqfs', '.caibx')]) writeFileSync(stale, 'old');
    const { source } = await createImage({ kind: 'directory', path: tree }, path, { signal, level: 1 });
    expect(listing(path).filter((line) => line.includes('/x.'))).toEqual([]);
    expect(source.leftOut.map(({ why }) => why)).toEqual(Array(3).fill('the image itself'));
    for (const own of [path, path.replace('.sqfs', '.caibx')]) rmSync(own);
  });
});

describe('resolveSource', () => {
  test('tells a directory, a tar, standard input, an OCI layout and a suite', async () => {
    expect(await resolveSource(tree)).toEqual({ kind: 'directory', path: tree });
    expect(await resolveSource(tar)).toEqual({ kind: 'tar', path: tar });
    expect(await resolveSource('-')).toEqual({ kind: 'stdin' });
    expect(await resolveSource(`oci:${tree}`)).toEqual({ kind: 'oci', path: tree });
    expect(await resolveSource('debian:trixie')).toEqual({ kind: 'debian', suite: 'trixie' });
    for (const root of ['/', '//', '/tmp/..']) {
      expect(await resolveSource(root)).toEqual({ kind: 'directory', path: '/' });
    }
  });

  test('follows a symbolic link, and takes no FIFO', async () => {
    execFileSync('ln', ['-s', 'tree', folder.at('link')]);
    expect(await resolveSource(folder.at('link'))).toEqual({ kind: 'directory', path: tree });
    execFileSync('mkfifo', [folder.at('fifo')]);
    await expect(resolveSource(folder.at('fifo'))).rejects.toThrow('fifo is neither a directory nor a file');
  });

  test.each([
    ['debian:', "'' is no name of a Debian suite"],
    ['debian:../x', 'is no name of a Debian suite'],
    ['oci:/etc/passwd', 'is no directory: oci: takes an OCI layout'],
    ['oci:/nonexistent', 'cannot read /nonexistent'],
    ['/nonexistent', 'cannot read /nonexistent'],
  ])('refuses %s', async (source, message) => {
    await expect(resolveSource(source)).rejects.toThrow(message);
  });
});

test('where its index cannot be written no image is left that seems finished', async () => {
  const output = newPath();
  mkdirSync(output.replace(/sqfs$/, 'caibx/held'), { recursive: true });
  await expect(createImage({ kind: 'directory', path: tree }, output, { signal, level: 1 })).rejects.toThrow();
  expect(existsSync(output)).toBe(false);
});
