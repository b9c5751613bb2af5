import { readFileSync, writeFileSync } from 'node:fs';
import { SquashfsImage } from '../../../src/squashfs/squashfs-image.ts';

/** Run by read-squashfs.test.ts: IMAGE COUNT SEED. Reads so many versions of an image with bytes changed by chance. */
const [image = '', count = '0', seed = '1'] = process.argv.slice(2);
const original = readFileSync(image);
const mutated = `${image}.mutated`;
/** The metadata begins here; three of four changes are in it or in the superblock. */
const metadata = Number(original.readBigUInt64LE(64));

let state = Number(seed) >>> 0;
/** A whole number from 0 to below `limit` (mulberry32). */
function chance(limit: number): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
}

const ODD = [0, 1, 0x7f, 0x80, 0xff];

function mutate(): Buffer {
  const bytes = Buffer.from(original);
  for (let i = 1 + chance(8); i > 0; i--) {
    const where = chance(8);
    const at =
      where < 2 ? 4 + chance(92) : where < 7 ? metadata + chance(bytes.length - metadata) : chance(bytes.length);
    for (let j = chance(4); j >= 0; j--) {
      if (at + j < bytes.length) bytes[at + j] = chance(2) === 0 ? (ODD[chance(ODD.length)] ?? 0) : chance(256);
    }
  }
  return bytes;
}

let [read, refused] = [0, 0];
const buffer = Buffer.alloc(65_536);
for (let i = 0; i < Number(count); i++) {
  writeFileSync(mutated, mutate());
  try {
    using opened = new SquashfsImage(mutated);
    let left = 5000;
    for (const entry of opened.walk()) {
      if (--left === 0) break;
      const content = entry.open?.();
      if (content === undefined || content instanceof Promise) continue;
      // A size may be anything: so much of the beginning, and what the end is said to hold.
      for (const offset of [0, Math.max(0, content.size - 10_000)]) void content.read(buffer, offset);
    }
    read++;
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith(mutated)) throw error;
    refused++;
  }
}
const megabytes = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(JSON.stringify({ read, refused, megabytes }));
