import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeRelease, type Release } from '../../../../src/image/release.ts';
import { readStandings, standingOf } from '../../../../src/init/source/released.ts';
import type { ImageCandidate } from '../../../../src/media/candidate.ts';
import { makeSquashfs, temporaryFolder } from '../../image/images.ts';
import { viver } from '../../kit/run-viver.ts';
import { candidate, device } from '../../media/devices.ts';

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
let release: Release;

beforeAll(async () => {
  await makeSquashfs(folder.at('a.sqfs'), 100_000);
  await viver('image', 'index', folder.at('a.sqfs'));
  const { id, size } = JSON.parse((await viver('image', 'info', folder.at('a.sqfs'), '--json')).stdout);
  release = {
    ...{ name: 'class', version: 7, image: { name: 'a', id }, sizeBytes: size, expiresSeconds: 1 },
    ...{ for: [[{ kind: 'all' }]], when: 'reboot' },
  };
});

function found(text: string | undefined): ImageCandidate {
  const path = folder.at('a.release');
  if (text !== undefined) writeFileSync(path, text);
  const { sizeBytes } = release;
  return candidate('a', device('sda'), {
    indexPath: folder.at('a.caibx'),
    squashfs: { sizeBytes, madeSeconds: 0, superblock: '' },
    ...(text === undefined ? {} : { releasePath: path }),
  });
}

async function standing(text: string | undefined): Promise<[number | undefined, string[]]> {
  const warnings: string[] = [];
  const image = found(text);
  const log = { warn: (line: string) => void warnings.push(line), choose: () => undefined };
  return [(await readStandings([image], log)).get(image), warnings];
}

test('a release for all machines says its version, also when it has expired; one for some comes after all', async () => {
  expect(await standing(encodeRelease(release))).toEqual([7, []]);
  expect(await standing(encodeRelease({ ...release, for: [[{ kind: 'share', percent: 10 }]] }))).toEqual([-1, []]);
  expect(await standing(undefined)).toEqual([undefined, []]);
  const some = [[{ kind: 'role' as const, name: 'x' }], [{ kind: 'all' as const }]];
  expect(standingOf({ ...release, for: some })).toBe(7);
});

test('one about another image, and what is no release, count for nothing and are told', async () => {
  const other = { ...release, image: { name: 'a', id: 'ab'.repeat(32) } };
  for (const text of [encodeRelease(other), encodeRelease({ ...release, sizeBytes: 5 }), 'nonsense', '']) {
    const [value, warnings] = await standing(text);
    expect([value, warnings], text).toEqual([0, [expect.stringMatching(/a\.release counts for nothing: /)]]);
  }
});
