import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Daemon, FieldTest, hashOf, until } from '../field/field-harness.ts';

/** VIVER_SOAK_MINUTES: an hour once before a release. */
const MINUTES = Number(process.env.VIVER_SOAK_MINUTES ?? 10);
/** Between one that comes and one that goes. */
const PACE_MS = 4000;
/** Until a daemon has all its code compiled and its buffers made, its size says nothing. */
const WARM_UP = 0.3;
/** What the size of a process varies by without growing. */
const SLACK_MB = 12;

function residentMb(daemon: Daemon): number {
  const found = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8'));
  return Number(found?.[1] ?? 0) / 1024;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

test(
  `for ${MINUTES} minutes nodes come, read, leave and are killed: no wrong byte, and no memory grows`,
  async () => {
    await using field = new FieldTest(12);
    const holder = field.holder();
    // One that keeps all and one that must fetch anew with every read.
    const steady = [field.joiner([holder]), field.joiner([holder], ['--keep', '4M'])];
    await Promise.all(steady.map((node) => node.ready()));
    const watched = [holder, ...steady];
    const samples = watched.map((): number[] => []);
    const end = performance.now() + MINUTES * 60_000;
    for (let round = 0; performance.now() < end; round++) {
      const guest = field.joiner(round % 2 === 0 ? [holder] : steady, round % 3 === 0 ? ['--keep', '3M'] : []);
      await guest.ready();
      for (const node of round % 4 === 0 ? [guest, ...steady] : [guest]) {
        expect(await hashOf(node, 60)).toBe(field.image.sha256);
      }
      if (round % 2 === 0) await guest.kill();
      else expect(await guest.stop()).toBe(0);
      watched.forEach((node, i) => {
        (samples[i] as number[]).push(residentMb(node));
      });
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
    samples.forEach((sizes, i) => {
      const rest = sizes.slice(Math.floor(sizes.length * WARM_UP));
      const third = Math.ceil(rest.length / 3);
      const [early, late] = [median(rest.slice(0, third)), median(rest.slice(-third))];
      console.log(`node ${i}: ${early.toFixed(1)} MB, then ${late.toFixed(1)} MB, in ${sizes.length} rounds`);
      expect(late - early).toBeLessThan(SLACK_MB);
    });
    await until('those that were killed are forgotten', async () => (await holder.status()).peers.length === 2, 60);
  },
  (MINUTES + 3) * 60_000,
);
