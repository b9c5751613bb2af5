/**
 * Two switches of six hosts, 100 Mbit/s each, joined by 25 Mbit/s: how much of the image crosses, and when the last node
 * has it. `node test/bench/field/rooms.ts [MEGABYTES]`; needs root and build/viver.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runField, VIVER } from './runs.ts';

const GOODPUT = 0.945;
const LINK = { mbit: 100, burst: 64 << 10, limit: 512 << 10 };
const UPLINK = { mbit: 25, burst: 32 << 10, limit: 256 << 10 };

export async function benchRooms(megabytes: number): Promise<{ lastSeconds: number; ratio: number; crossed: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'viver-rooms-'));
  try {
    const image = join(directory, 'image.sqfs');
    writeFileSync(join(directory, 'noise'), randomBytes(megabytes << 20));
    const words = [join(directory, 'noise'), image, '-no-progress', '-quiet', '-noD'];
    execFileSync('mksquashfs', words, { stdio: 'ignore' });
    const made = execFileSync(VIVER, ['image', 'index', image, '--json'], { encoding: 'utf8' });
    const { id, size } = JSON.parse(made) as { id: string; size: number };
    const rooms = { first: 6, uplink: UPLINK };
    const { lastSeconds, crossedImages = 0 } = await runField({ image, id, nodes: 11, shape: LINK, rooms });
    const limit = size / ((UPLINK.mbit * 1e6 * GOODPUT) / 8);
    return { lastSeconds, ratio: lastSeconds / limit, crossed: crossedImages };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const { lastSeconds, ratio, crossed } = await benchRooms(Number(process.argv[2] ?? 48));
  console.log(
    `last ${lastSeconds.toFixed(2)} s, ${ratio.toFixed(3)} of the limit, ${crossed.toFixed(3)} images crossed`,
  );
}
