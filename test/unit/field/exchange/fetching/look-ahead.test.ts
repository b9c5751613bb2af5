import { expect, test } from 'vitest';
import { LookAhead } from '../../../../../src/field/exchange/fetching/look-ahead.ts';
import { ChunkSet } from '../../../../../src/field/wire/chunk-set.ts';

const COUNT = 1000;

function ahead(order: readonly number[], hasRoom = true) {
  const held = new ChunkSet(COUNT);
  const window = new ChunkSet(COUNT);
  const stock = {
    held,
    reads: { window, foresee: (chunk: number) => window.add(chunk) },
    keep: { hasRoom: () => hasRoom },
    lengths: { count: COUNT, size: COUNT << 16 },
  };
  return { held, window, list: new LookAhead(stock as never, order) };
}

const all = Array.from({ length: COUNT }, (_, i) => i);

test('a profile that is right runs ahead of the reads, more and more', () => {
  const { held, window, list } = ahead(all);
  expect(list.fill()).toBe(true);
  expect(window.count).toBe(4);
  for (let chunk = 0; chunk < 40; chunk++) {
    list.read(chunk);
    held.add(chunk);
    window.delete(chunk);
    list.fill();
  }
  expect(window.count).toBe(64);
  expect([...window][0]).toBe(40);
});

test('a profile that is wrong costs a few chunks and is let go', () => {
  const { window, list } = ahead(all.filter((i) => i % 2 === 0));
  for (let read = 0; read < 100 && !list.isOver; read++) {
    list.fill();
    list.read(2 * read + 1);
  }
  expect(list.isOver).toBe(true);
  expect(window.count).toBeLessThanOrEqual(4);
  expect(list.fill()).toBe(false);
  expect(list.verdict).toContain('let go');
});

test('one that is stale, right in three reads of four, is used', () => {
  const { held, list } = ahead(all.slice(0, 400));
  for (let read = 0; read < 400; read++) {
    list.fill();
    if (read % 4 === 3) list.read(600 + (read >> 2));
    else {
      list.read(read);
      held.add(read);
    }
  }
  expect(list.isOver).toBe(false);
});

test('what there is no room for is fetched ahead by 2 MiB at most; what is all here is done', () => {
  const { held, window, list } = ahead(all.slice(0, 100), false);
  for (let chunk = 0; chunk < 100; chunk++) list.read(chunk);
  list.fill();
  expect(window.count).toBe(32);
  for (let chunk = 0; chunk < 100; chunk++) held.add(chunk);
  list.fill();
  expect(list.isOver).toBe(true);
  expect(list.verdict).toContain('is all here (100 of its chunks were read, 0 others)');
});

test('one that names all of the image in a false order costs two chunks, and two for each that is read', () => {
  const { held, window, list } = ahead(all.toReversed());
  let brought = 0;
  list.read(0);
  for (let read = 0; read < 100; read++) {
    for (let again = 0; again < 10; again++) {
      list.fill();
      for (const chunk of [...window]) {
        window.delete(chunk);
        held.add(chunk);
        brought++;
      }
    }
    list.read(read);
    held.add(read);
    expect(brought).toBeLessThanOrEqual(3 + 2 * read);
  }
  expect(brought).toBeGreaterThan(90);
});

test('one that names all in a false order is let go in the end, one of which every third chunk is read is not', () => {
  for (const isFalse of [true, false]) {
    const { held, window, list } = ahead(isFalse ? all.toReversed() : all);
    for (let read = 0; read < COUNT && !list.isOver; read += isFalse ? 1 : 3) {
      list.fill();
      for (const chunk of [...window]) {
        window.delete(chunk);
        held.add(chunk);
      }
      list.read(read);
      held.add(read);
    }
    expect(list.isWrong).toBe(isFalse);
  }
});

test('what was fetched ahead before anything is read speaks against nothing', () => {
  const { held, window, list } = ahead(all);
  for (let i = 0; i < 300; i++) {
    list.fill();
    for (const chunk of [...window]) {
      window.delete(chunk);
      held.add(chunk);
    }
  }
  for (let read = 0; read < 300; read++) list.read(read);
  expect(list.isWrong).toBe(false);
});

test('one chunk that nobody has does not keep the others, nor the time that they take', () => {
  const count = 20_000;
  const order = Array.from({ length: count }, (_, i) => i);
  const held = new ChunkSet(count);
  const window = new ChunkSet(count);
  let asked = 0;
  const stock = {
    held: {
      has: (chunk: number) => {
        asked++;
        return held.has(chunk);
      },
    },
    reads: { window, foresee: (chunk: number) => window.add(chunk) },
    keep: { hasRoom: () => true },
    lengths: { count, size: count << 16 },
  };
  const list = new LookAhead(stock as never, order);
  list.fill();
  for (let chunk = 1; chunk < count; chunk++) {
    list.read(chunk);
    held.add(chunk);
    window.delete(chunk);
    list.fill();
  }
  expect([...window]).toEqual([0]);
  expect(list.isOver).toBe(false);
  expect(asked / count).toBeLessThan(2000);
});

test('one whose chunks are read no oftener than by chance is not followed any further', () => {
  // A boot reads a quarter of the image in one order, the profile names another quarter: a few are the same.
  const order = all.map((i) => (i * 7) % COUNT).slice(0, COUNT / 4);
  const { held, window, list } = ahead(order);
  const reads = all.map((i) => (i * 383 + 5) % COUNT).slice(0, COUNT / 4);
  let brought = 0;
  for (const read of reads) {
    list.read(read);
    held.add(read);
    list.fill();
    for (const chunk of [...window]) {
      window.delete(chunk);
      held.add(chunk);
      brought++;
    }
  }
  expect(reads.filter((chunk) => order.includes(chunk)).length).toBeGreaterThan(30);
  expect(brought).toBeLessThan(12);
});

test('before anything is read all of a profile comes, a few at a time, up to 256', () => {
  const { held, window, list } = ahead(all);
  let brought = 0;
  while (list.fill()) {
    expect(window.count).toBeLessThanOrEqual(4);
    for (const chunk of [...window]) {
      window.delete(chunk);
      held.add(chunk);
      brought++;
    }
  }
  expect(brought).toBe(256);
});
