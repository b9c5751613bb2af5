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

test('a pool grows, and has room for two jobs a thread', async () => {
  await using pool = new HashPool(0);
  expect([pool.threads, pool.hasRoom]).toEqual([0, false]);
  const bytes = sharedBytes(1000);
  const waiting = pool.digests(bytes, [1000]);
  pool.grow(1);
  expect([pool.threads, pool.hasRoom]).toEqual([1, true]);
  const digest = Buffer.from(await waiting).toString('hex');
  expect(digest).toBe(sha256(bytes.slice()));
  const rooms = [pool.hasRoom];
  const both = [0, 1].map(() => {
    const digests = pool.digests(bytes, [1000]);
    rooms.push(pool.hasRoom);
    return digests;
  });
  expect(rooms).toEqual([true, true, false]);
  await Promise.all(both);
  expect(pool.hasRoom).toBe(true);
  pool.grow(1);
  expect(pool.threads).toBe(1);
});
