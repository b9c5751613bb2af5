import { chmodSync, writeFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { debianSuite, mmdebstrapArguments } from '../../../../src/image/sources/debian-suite.ts';
import { readTar } from '../../../../src/image/sources/tar/read-tar.ts';
import { temporaryFolder } from '../images.ts';
import { describeAll } from './described.ts';

const folder = temporaryFolder();
const { PATH } = process.env;
const { signal } = new AbortController();
afterAll(() => {
  process.env.PATH = PATH;
  folder[Symbol.dispose]();
});

/** What the suite gives when a program of this text is mmdebstrap. */
const withProgram = (text: string) => {
  writeFileSync(folder.at('mmdebstrap'), `#!/bin/sh\n${text}`);
  chmodSync(folder.at('mmdebstrap'), 0o755);
  process.env.PATH = `${folder.path}:${PATH}`;
  return describeAll(readTar(debianSuite('trixie', signal), 'debian:trixie'));
};

test('what it writes is read as a tar, and it is asked for the suite', async () => {
  const found = await withProgram('cd "$(dirname "$0")" && echo "$*" > words && tar -c words');
  expect([...found.keys()]).toEqual(['words']);
  expect(mmdebstrapArguments('trixie').slice(-2)).toEqual(['trixie', '-']);
});

test('its failure is told in its own words, whatever came before', async () => {
  const failing = 'echo "I: downloading" >&2; echo "E: no such suite" >&2; echo "W: left" >&2; exit 25';
  await expect(withProgram(failing)).rejects.toThrow(/^mmdebstrap of trixie failed: E: no such suite$/);
  await expect(withProgram('tar -c "$0" 2> /dev/null; exit 1')).rejects.toThrow(
    'mmdebstrap of trixie failed: without a word',
  );
});

test('without it one line says how to get it', async () => {
  process.env.PATH = '/nonexistent';
  await expect(describeAll(readTar(debianSuite('trixie', signal), 'x'))).rejects.toThrow(
    'debian:trixie is put together by mmdebstrap, which is not installed: apt install mmdebstrap',
  );
});
