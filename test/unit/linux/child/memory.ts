import { readFileSync } from 'node:fs';
import { lockMemory } from '../../../../src/linux/memory.ts';

const kiB = (name: string) =>
  Number(new RegExp(`${name}:\\s*(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
const before = kiB('VmRSS');
lockMemory();
const grown = kiB('VmRSS') - before;
// Enough garbage that V8 gives pages back to the kernel.
let kept: unknown[] = [];
for (let round = 0; round < 10; round++) kept = Array.from({ length: 200_000 }, (_, i) => ({ i, list: [i] }));
process.stdout.write(JSON.stringify({ lockedKiB: kiB('VmLck'), grownKiB: grown, kept: kept.length }));
