import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DiskWork } from '../../../../src/field/store/disk-work.ts';

/** A disk that does what it is told when the test says so, and may fail. */
function slowDisk() {
  const files = new Map<number, Uint8Array>();
  const going: { readonly chunk: number; end(isGood: boolean): void }[] = [];
  const events: string[] = [];
  let most = 0;
  const task = (chunk: number, does: () => void): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const end = (isGood: boolean): void => {
      if (isGood) does();
      if (isGood) resolve();
      else reject(new Error('EIO'));
    };
    if (going.some((each) => each.chunk === chunk)) throw new Error('two things are done to one file at once');
    most = Math.max(most, going.push({ chunk, end }));
    return promise;
  };
  const work = new DiskWork(
    {
      write: (chunk, bytes) => task(chunk, () => void files.set(chunk, bytes)),
      remove: (chunk) => task(chunk, () => void files.delete(chunk)),
    },
    {
      written: (chunk, isCurrent) => void events.push(`written ${chunk} ${isCurrent}`),
      unwritten: (chunk, isCurrent) => void events.push(`unwritten ${chunk} ${isCurrent}`),
      unremoved: (chunk) => void events.push(`unremoved ${chunk}`),
    },
  );
  const finish = async (at: number, isGood = true): Promise<void> => {
    const [one] = going.splice(at % going.length, 1);
    one?.end(isGood);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { work, files, going, events, finish, most: () => most };
}

const bytesOf = (length: number): Uint8Array => new Uint8Array(length).fill(length);

test('whatever is wanted in whatever order, of each chunk the last is done, two at a time, and no byte is forgotten', async () => {
  const step = fc.record({ what: fc.constantFrom('write', 'drop', 'finish'), chunk: fc.nat(5), size: fc.nat(9) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { work, files, going, finish, most } = slowDisk();
      const wanted = new Map<number, Uint8Array>();
      for (const { what, chunk, size } of steps) {
        if (what === 'finish') {
          if (going.length > 0) await finish(size);
        } else if (what === 'write') {
          if (!wanted.has(chunk)) work.write(chunk, bytesOf(chunk + 1));
          wanted.set(chunk, bytesOf(chunk + 1));
        } else {
          wanted.delete(chunk);
          work.remove(chunk);
        }
        for (const [each, bytes] of wanted) expect(files.get(each) ?? work.bytesOf(each)).toEqual(bytes);
      }
      const idle = work.idle();
      while (going.length > 0) await finish(0);
      await idle;
      expect(files).toEqual(wanted);
      expect([work.bytes, work.chunks]).toEqual([0, 0]);
      expect(most()).toBeLessThanOrEqual(2);
    }),
    { numRuns: 200 },
  );
});

test('what could not be written is told of, and what was dropped meanwhile is not', async () => {
  const { work, events, finish, files } = slowDisk();
  work.write(1, bytesOf(3));
  work.write(2, bytesOf(4));
  work.remove(2);
  await finish(0, false);
  await finish(0, false);
  await finish(0);
  expect(events).toEqual(['unwritten 1 true', 'unwritten 2 false']);
  expect([work.bytes, files.size]).toEqual([0, 0]);
});

test('what is dropped before its turn is never written', async () => {
  const { work, going, finish } = slowDisk();
  for (let chunk = 0; chunk < 5; chunk++) work.write(chunk, bytesOf(7));
  expect(work.bytes).toBe(35);
  expect(work.cancel(4)).toBe(true);
  expect(work.cancel(0)).toBe(false);
  expect(work.bytes).toBe(28);
  const done: number[] = [];
  while (going[0] !== undefined) {
    done.push(going[0].chunk);
    await finish(0);
  }
  expect(done).toEqual([0, 1, 2, 3]);
});
