import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serveControl } from '../../../../src/field/control.ts';
import { describeGiven } from '../../../../src/kit/commit/commit-action.ts';
import { giveImage } from '../../../../src/kit/commit/give-image.ts';

const { signal } = new AbortController();

async function give(answer?: (words: string) => unknown) {
  const work = mkdtempSync(join(tmpdir(), 'give-'));
  const sockets = { roll: join(work, 'roll.sock'), field: join(work, 'field.sock') };
  const servers = answer === undefined ? [] : [await serveControl(sockets.roll, answer)];
  // The node of a machine that is in a field, asked only when the plugins do not give the image.
  const given = await giveImage('/root/next.sqfs', signal, sockets);
  for (const server of servers) server.close();
  rmSync(work, { recursive: true });
  return given;
}

test('an image is offered by the plugins of the machine, so that others can boot it and roll it out by its name', async () => {
  const asked: string[] = [];
  const given = await give((words) => {
    asked.push(words);
    return { name: 'next', id: 'ab'.repeat(32), sizeBytes: 1, peer: '10.0.0.7:20071' };
  });
  expect(asked).toEqual(['offer "/root/next.sqfs"']);
  expect(given).toEqual({ address: '10.0.0.7:20071', isOffered: true, why: '' });
  expect(describeGiven('/root/next.sqfs', given)).toEqual([
    '/root/next.sqfs is given to the field at 10.0.0.7:20071, until this machine is switched off; to try it on a machine, on the boot server: viver roll try next --on HOST',
  ]);
});

test('a machine without plugins and without a field gives it to nobody; what the plugins say against it is told', async () => {
  const none = await give();
  expect([none, describeGiven('a.sqfs', none)]).toEqual([
    undefined,
    ['a.sqfs is given to nobody: this machine takes part in no field'],
  ]);
  expect(describeGiven('a.sqfs', { address: '10.0.0.7:1', isOffered: false, why: '8 images are offered' })).toEqual([
    'a.sqfs is given to the field at 10.0.0.7:1, until this machine is switched off',
    'no machine can boot it from here: 8 images are offered',
  ]);
});
