/** Gives back the pages of the start, then goes on as a program does. Prints what of its files was in memory, KiB. */
import { readFileSync } from 'node:fs';
import { releaseStartPages } from '../../../../src/linux/memory.ts';

const filesKiB = (): number => Number(/^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

const beforeKiB = filesKiB();
releaseStartPages();
const afterKiB = filesKiB();
const kept = new Map(Array.from({ length: 200_000 }, (_, i) => [`key ${i}`, { value: i }]));
console.log(JSON.stringify({ beforeKiB, afterKiB, kept: kept.size }));
