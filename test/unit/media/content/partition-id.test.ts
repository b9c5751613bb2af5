import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { partitionId } from '../../../../src/media/content/partition-id.ts';
import { probeBytes } from '../../../../src/media/content/probe.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'viver-partition-id-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const SIZE = 16 << 20;

function disk(name: string, script: string): Buffer {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, SIZE);
  execFileSync('sfdisk', ['--quiet', path], { input: script, stdio: ['pipe', 'ignore', 'pipe'] });
  return readFileSync(path);
}

function idOf(bytes: Uint8Array, number: number, sectorBytes = 512): string | undefined {
  const geometry = { sizeBytes: bytes.length, sectorBytes, isCd: false, isAta: true, partitions: [] };
  return probeBytes(partitionId(geometry, number), bytes);
}

/** What blkid calls the partitions, in their order. */
function blkidIds(name: string): (string | undefined)[] {
  const text = execFileSync('sfdisk', ['--json', join(folder, name)], { encoding: 'utf8' });
  const { partitiontable } = JSON.parse(text) as {
    partitiontable: { id: string; partitions: { node: string; uuid?: string }[] };
  };
  return partitiontable.partitions.map(({ node, uuid }) => {
    const number = Number(/(\d+)$/.exec(node)?.[1]);
    return uuid?.toLowerCase() ?? `${partitiontable.id.replace('0x', '')}-${number.toString(16).padStart(2, '0')}`;
  });
}

const GPT = 'label: gpt\nsize=2MiB\nsize=2MiB\n';

test('partitions of a GPT and of an MBR, logical ones too, are named as sfdisk names them', () => {
  const gpt = disk('gpt', GPT);
  expect([1, 2].map((number) => idOf(gpt, number))).toEqual(blkidIds('gpt'));
  expect(idOf(gpt, 3)).toBeUndefined();
  const mbr = disk('mbr', 'label: dos\n1: size=2MiB\n2: size=8MiB, type=5\n5: size=1MiB\n6: size=1MiB\n');
  const ids = blkidIds('mbr');
  expect([1, 2, 5, 6].map((number) => idOf(mbr, number))).toEqual(ids);
  expect(ids[3]).toMatch(/-06$/);
});

test('a GPT counts only with its protective entry: a disk given to another system since has an MBR', () => {
  const bytes = disk('unprotected', GPT);
  const id = disk('other', 'label: dos\nlabel-id: 0xcafe0001\nsize=3MiB\n').subarray(0, 512);
  id.copy(bytes, 0);
  expect(idOf(bytes, 1)).toBe('cafe0001-01');
});

test('a GPT with other partitions in its MBR, as hybrid sticks have it, is a GPT', () => {
  const bytes = disk('hybrid', GPT);
  const ids = blkidIds('hybrid');
  bytes.copy(bytes, 0x1be + 16, 0x1be, 0x1be + 16);
  bytes.fill(0, 0x1be, 0x1be + 16);
  bytes[0x1be + 4] = 0x0c;
  bytes.writeUInt32LE(2048, 0x1be + 8);
  expect(idOf(bytes, 2)).toBe(ids[1]);
});

test('the table at the end of the disk is taken when the first header, or its entries, are broken', () => {
  for (const at of [512 + 40, 2 * 512 + 20]) {
    const bytes = disk('broken', GPT);
    const ids = blkidIds('broken');
    bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    expect([1, 2].map((number) => idOf(bytes, number))).toEqual(ids);
    const last = bytes.length - 512 + 40;
    bytes[last] = (bytes[last] ?? 0) ^ 0xff;
    expect(idOf(bytes, 1)).toBeUndefined();
  }
});

test('a table counts in the disk’s own blocks', () => {
  const path = join(folder, 'blocks');
  writeFileSync(path, '');
  truncateSync(path, SIZE);
  const onLoop = `loop=$(losetup --find --show --sector-size 4096 ${path}); trap 'losetup -d $loop' EXIT
    sfdisk --quiet --no-reread --no-tell-kernel $loop; sfdisk --part-uuid $loop 2`;
  const uuid = execFileSync('sh', ['-ec', onLoop], { input: GPT, encoding: 'utf8' }).trim().toLowerCase();
  const bytes = readFileSync(path);
  expect(idOf(bytes, 2, 4096)).toBe(uuid);
  expect(idOf(bytes, 2, 512)).toBeUndefined();
});

test('any bytes give a PARTUUID or none, never an error', () => {
  const gpt = disk('random', GPT);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(40 * 512), fc.nat(255)), { maxLength: 20 }),
      fc.integer({ min: -2, max: 300 }),
      fc.nat(gpt.length),
      fc.constantFrom(512, 2048, 4096),
      (changes, number, length, sectorBytes) => {
        const bytes = Uint8Array.from(gpt.subarray(0, Math.min(length, 100_000)));
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        const id = idOf(bytes, number, sectorBytes);
        if (id !== undefined) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f-]+$/);
      },
    ),
  );
});
