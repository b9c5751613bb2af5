import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readPublicKeys, readSignature } from '../../../src/image/signature.ts';
import { temporaryFolder } from './images.ts';

test('the public keys are the files *.pub of a directory; one that is none is an error, not left out', async () => {
  using folder = temporaryFolder();
  mkdirSync(folder.at('keys'));
  for (const name of ['b', 'a']) {
    const words = ['-G', '-W', '-p', folder.at(`keys/${name}.pub`), '-s', folder.at(`${name}.sec`)];
    execFileSync('minisign', words, { stdio: 'pipe' });
  }
  writeFileSync(folder.at('keys/README'), 'keys are here');
  const keys = await readPublicKeys(folder.at('keys'));
  expect(keys.map(({ path }) => path)).toEqual([folder.at('keys/a.pub'), folder.at('keys/b.pub')]);
  writeFileSync(folder.at('keys/c.pub'), 'x');
  await expect(readPublicKeys(folder.at('keys'))).rejects.toThrow(/keys\/c\.pub: no minisign public key/);
});

test('errors name the file', async () => {
  using folder = temporaryFolder();
  await expect(readPublicKeys(folder.at('nothing'))).rejects.toThrow('ENOENT');
  await expect(readSignature(folder.at('x.minisig'))).rejects.toThrow('ENOENT');
  writeFileSync(folder.at('x.minisig'), 'x'.repeat(100_000));
  await expect(readSignature(folder.at('x.minisig'))).rejects.toThrow(/x\.minisig: 100000 bytes are too many/);
  writeFileSync(folder.at('x.minisig'), 'x');
  await expect(readSignature(folder.at('x.minisig'))).rejects.toThrow(/x\.minisig: no minisign signature/);
});

test('a FIFO in the place of a signature is refused, not waited for', async () => {
  using folder = temporaryFolder();
  execFileSync('mkfifo', [folder.at('x.minisig')]);
  await expect(readSignature(folder.at('x.minisig'))).rejects.toThrow(/x\.minisig: no regular file/);
});
