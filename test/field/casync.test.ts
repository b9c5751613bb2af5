/** Indexes and stores that casync made, by both of its hashes, shared in a field. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { VIVER } from '../bench/field/runs.ts';
import { FieldTest, hashOf, until } from './field-harness.ts';

const run = promisify(execFile);

test.each(['sha256', 'sha512-256'])(
  'an index that casync made by %s is shared, kept and had from an origin',
  async (digest) => {
    await using field = new FieldTest();
    const index = field.image.path.replace(/\.sqfs$/, '.caibx');
    const store = join(field.directory, 'made.castr');
    await run('casync', ['make', `--digest=${digest}`, `--store=${store}`, index, field.image.path]);
    const id = createHash('sha256').update(readFileSync(index)).digest('hex');
    await run(VIVER, ['image', 'verify', field.image.path]);
    const holder = field.holder();
    const kept = join(field.directory, 'kept');
    const first = field.up(['--id', id, '--peer', holder.address, '--store', kept]);
    await first.ready();
    expect(await hashOf(first)).toBe(field.image.sha256);
    const { image } = await first.status();
    await until('it holds all', async () => (await first.status()).node.held === image.chunks);
    await first.stop();
    await holder.stop();
    // From its directory alone, in its next life; and from there to another one.
    const again = field.up(['--id', id, '--store', kept]);
    const other = field.up(['--id', id, '--peer', again.address]);
    for (const node of [again, other]) {
      await node.ready();
      expect(await hashOf(node)).toBe(field.image.sha256);
    }
    await again.stop();
    await other.kill();
    const server = createServer((request, response) => {
      createReadStream(join(store, request.url ?? ''))
        .on('error', () => response.writeHead(404).end())
        .pipe(response);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    // Has the index and no chunk: `--keep 0`.
    const empty = join(field.directory, 'empty');
    const source = field.holder();
    const indexed = field.up(['--id', id, '--peer', source.address, '--store', empty, '--keep', '0']);
    await indexed.ready();
    await indexed.stop();
    await source.kill();
    const alone = field.up(['--id', id, '--store', empty, '--origin', `http://127.0.0.1:${port}/`]);
    await alone.ready();
    expect(await hashOf(alone)).toBe(field.image.sha256);
    expect((await alone.status()).traffic).toMatchObject({ fromPeers: 0, rejected: 0 });
    server.close();
  },
);
