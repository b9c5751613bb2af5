/** Daemons with public keys: what is signed, what is passed on, and what they wait for. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { FieldTest, hashOf, until } from './field-harness.ts';

/** A directory with a public key of its own, and what signs by it. */
function keysIn(field: FieldTest, name: string): { directory: string; sign(file: string): void } {
  const directory = join(field.directory, name);
  const secret = join(field.directory, `${name}.sec`);
  mkdirSync(directory);
  execFileSync('minisign', ['-G', '-W', '-p', join(directory, 'own.pub'), '-s', secret], { stdio: 'pipe' });
  const sign = (file: string): void => void execFileSync('minisign', ['-S', '-W', '-s', secret, '-m', file]);
  return { directory, sign };
}

test('a signature beside the image goes from node to node; who wants one by another key waits and says so', async () => {
  await using field = new FieldTest(2);
  const [keys, others] = [keysIn(field, 'keys'), keysIn(field, 'others')];
  const index = join(dirname(field.image.path), 'test.caibx');
  keys.sign(index);
  writeFileSync(join(dirname(field.image.path), 'test.release'), 'viver release 1\n');
  const holder = field.holder();
  await holder.ready();
  const stranger = field.joiner([holder], ['--keys', others.directory]);
  const store = join(field.directory, 'store.castr');
  const first = field.joiner([holder], ['--keys', keys.directory, '--store', store]);
  await first.ready();
  await until('all is here', async () => (await first.status()).node.held === field.image.chunks);
  await until('the stranger says why', async () => /not among the known ones/.test(stranger.log()));
  expect((await stranger.status()).image.chunks).toBe(0);
  expect(readFileSync(join(store, `${field.image.id}.caibx.minisig`))).toEqual(readFileSync(`${index}.minisig`));
  await holder.stop();
  const second = field.joiner([first], ['--keys', keys.directory]);
  await second.ready();
  expect(await hashOf(second)).toBe(field.image.sha256);
  // From its directory alone, the signature too; without it the index there counts for nothing.
  await first.stop();
  const again = field.joiner([], ['--keys', keys.directory, '--store', store]);
  await again.ready();
  await again.stop();
  const unsigned = field.joiner([], ['--keys', others.directory, '--store', store]);
  await until('it says why', async () => /is not signed by a known key/.test(unsigned.log()));
  await until('it waits', async () => (await unsigned.status().catch(() => undefined))?.image.chunks === 0);
});
