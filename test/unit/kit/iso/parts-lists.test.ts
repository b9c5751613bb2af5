import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { partsLists } from '../../../../src/kit/iso/parts-lists.ts';

async function listsWith(kitList: string | undefined): Promise<{ count: number; told: readonly string[] }> {
  const work = mkdtempSync(join(tmpdir(), 'viver-parts-'));
  const told: string[] = [];
  const path = join(work, 'kit.json');
  if (kitList !== undefined) writeFileSync(path, kitList);
  try {
    const request = { kitList: path, id: '0', seconds: 0, images: [], files: [], work };
    return { count: (await partsLists({ ...request, tell: (line) => told.push(line) })).length, told };
  } finally {
    rmSync(work, { recursive: true });
  }
}

test('a Debian that leaves documentation out, or a broken list, costs the list and not the ISO', async () => {
  expect(await listsWith(undefined)).toEqual({
    count: 0,
    told: [expect.stringContaining('kit.json is missing (was documentation left out?)')],
  });
  const broken = await listsWith('{"packages": [');
  expect(broken.count).toBe(0);
  expect(broken.told).toHaveLength(1);
});
