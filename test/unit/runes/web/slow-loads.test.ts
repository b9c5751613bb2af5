import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firstStageWord, initrdFrom, SlowLoads } from '../../../../src/runes/web/first-stage.ts';

const MB = 1_000_000;
const sizes = { kernel: 8 * MB, initrd: 55 * MB, firstStage: 8 * MB };
const address = '10.86.0.7';

/** Whether a machine gets the first stage whose kernel took so long. */
function gets(kernelMs: number, of = sizes): boolean {
  const loads = new SlowLoads();
  loads.kernelAsked(address, 1000);
  return loads.isFor(address, of, 1000 + kernelMs);
}

describe('the first stage', () => {
  test('is for a machine whose loader is slow, by the time that its kernel took', () => {
    expect(gets(8000)).toBe(true); // 1 MB/s
    expect(gets(4000)).toBe(true);
    expect(gets(1500)).toBe(false); // 5 MB/s
    expect(gets(100)).toBe(false);
  });

  test('is for nobody when it is no smaller than the initrd, or nothing is known of the kernel', () => {
    expect(gets(60_000, { ...sizes, firstStage: 55 * MB })).toBe(false);
    expect(gets(60_000, { ...sizes, kernel: 0 })).toBe(false);
    expect(new SlowLoads().isFor(address, sizes, 60_000)).toBe(false);
  });

  test('a slower loader never gets the initrd where a quicker one gets the first stage', () => {
    const ms = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(fc.property(ms, ms, (one, two) => Number(gets(Math.min(one, two))) <= Number(gets(Math.max(one, two)))));
  });

  test('is not given again to a machine that comes back without having fetched anything by it', () => {
    const loads = new SlowLoads();
    const boot = (atMs: number) => {
      loads.kernelAsked(address, atMs);
      return loads.isFor(address, sizes, atMs + 8000);
    };
    expect(boot(0)).toBe(true);
    expect(boot(100_000)).toBe(false);
    expect(boot(200_000)).toBe(false);
    loads.fetches('10.86.0.8');
    expect(boot(300_000)).toBe(false);
    const other = new SlowLoads();
    other.kernelAsked(address, 0);
    expect(other.isFor(address, sizes, 8000)).toBe(true);
    other.fetches(address);
    other.kernelAsked(address, 100_000);
    expect(other.isFor(address, sizes, 108_000)).toBe(true);
  });

  test('however many ask, what is remembered of them has a bound, and the last are known', () => {
    const loads = new SlowLoads();
    for (let i = 0; i < 5000; i++) {
      loads.kernelAsked(`10.0.${i >> 8}.${i & 255}`, 0);
      loads.isFor(`10.0.${i >> 8}.${i & 255}`, sizes, 8000);
    }
    expect(loads.isFor('10.0.19.135', sizes, 8000)).toBe(false); // silent since
    expect(loads.isFor('10.0.0.1', sizes, 8000)).toBe(false); // forgotten
    expect(loads.remembered).toBeLessThanOrEqual(2048);
  });
});

test('the word for it names the server first, and four machines at most', () => {
  const givers = Array.from({ length: 9 }, (_, i) => `http://10.86.1.${i}:20080`);
  expect(firstStageWord(initrdFrom({ sha256: 'ab'.repeat(32), sizeBytes: 5 }, givers))).toBe(
    `viver.first=${'ab'.repeat(32)}/5@10.86.1.0:20080,10.86.1.1:20080,10.86.1.2:20080,10.86.1.3:20080`,
  );
});
