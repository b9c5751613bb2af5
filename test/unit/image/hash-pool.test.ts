import { expect, test } from 'vitest';
import { HashPool, sharedBytes } from '../../../src/image/hash-pool.ts';
import { noise, sha256 } from './images.ts';

test('gives the digest of every piece, in order, of more jobs than there are threads', async () => {
  await using pool = new HashPool(2);
  const jobs = Array.from({ length: 20 }, (_, i) => {
    const bytes = sharedBytes(10_000);
    bytes.set(noise(10_000, i));
    return bytes;
  });
  const ends = [1, 100, 100, 9999, 10_000];
  const results = await Promise.all(jobs.map((bytes) => pool.digests(bytes, ends)));
  results.forEach((digests, job) => {
    const expected = ends.map((end, i) =>
      sha256(jobs[job]?.slice(i === 0 ? 0 : ends[i - 1], end) ?? new Uint8Array(0)),
    );
    expect(Buffer.from(digests).toString('hex')).toBe(expected.join(''));
  });
});

test('what is asked of a closed pool, or waits when it is closed, is refused', async () => {
  const pool = new HashPool(1);
  const bytes = sharedBytes(50_000_000);
  const waiting = [pool.digests(bytes, [bytes.length]), pool.digests(bytes, [bytes.length])];
  const refused = Promise.allSettled(waiting);
  await pool[Symbol.asyncDispose]();
  expect((await refused).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await expect(pool.digests(bytes, [1])).rejects.toThrow('hash pool is closed');
});
