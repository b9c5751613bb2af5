import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseMinisignKey } from '../../../../src/image/minisign.ts';
import { parseMinisignSecret } from '../../../../src/image/minisign-secret.ts';
import { signRelease } from '../../../../src/image/release.ts';
import type { Machine } from '../../../../src/runes/machine.ts';
import { HTTP_PORT } from '../../../../src/runes/places.ts';
import { RollBook } from '../../../../src/runes/roll/book.ts';
import { RollDesk } from '../../../../src/runes/roll/desk.ts';
import type { RollKnown } from '../../../../src/runes/roll/known.ts';
import { temporaryFolder } from '../../image/images.ts';
import { EXPIRES_SECONDS, OLD, released } from './releases.ts';

const folder = temporaryFolder();
execFileSync('minisign', ['-G', '-W', '-p', folder.at('k.pub'), '-s', folder.at('k.sec')], { stdio: 'pipe' });
const secret = parseMinisignSecret(readFileSync(folder.at('k.sec'), 'utf8')).unlock();
const keys = [parseMinisignKey(readFileSync(folder.at('k.pub'), 'utf8'))];

/** Another machine of the field, which has heard of a release. */
const OTHER = '127.8.8.8';
const other = createServer((request, response) => {
  if (request.url === '/releases.json')
    response.end(JSON.stringify({ version: 1, releases: [signRelease(released(7).text, secret)] }));
  else response.writeHead(404).end();
});
beforeAll(() => new Promise<void>((resolve) => void other.listen(HTTP_PORT, OTHER, resolve)));
afterAll(() => {
  other.close();
  folder[Symbol.dispose]();
});

function deskOf(trusted: typeof keys): RollDesk {
  const book = new RollBook({
    ...{ keys: trusted, file: folder.at(`roll${trusted.length}.json`), log: () => undefined },
    nowSeconds: () => EXPIRES_SECONDS - 1,
  });
  const machine: Machine = {
    ...{ hostname: 'pc-1', macs: [], addresses: [], booted: 'network', bootMac: undefined, commandLine: '' },
    image: { name: OLD.name, id: OLD.id, path: undefined },
  };
  const network = { mac: '52:54:00:00:00:01', address: '127.8.8.1' } as ConstructorParameters<
    typeof RollDesk
  >[0]['network'];
  return new RollDesk({
    ...{ book, machine, network, role: 'node', log: () => undefined, offeredFile: folder.at('offered') },
    dhcp: async () => undefined,
    field: async () => ({ image: { ...OLD, size: 1 }, peers: [{ address: `${OTHER}:20070` }] }),
    images: async () => [],
    offer: async () => expect.fail('nothing is offered'),
    startAnew: () => undefined,
  });
}

test('who asks what is rolled out is told of the newest release that other machines know, when it is signed', async () => {
  const known = (await deskOf(keys).answer('known')) as RollKnown;
  expect(known.rolls.map(({ view }) => [view.name, view.version])).toEqual([['class', 7]]);
  const unsigned = (await deskOf([]).answer('known')) as RollKnown;
  expect(unsigned.rolls).toEqual([]);
});
