import { Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { COMMAND } from '../../../src/nbd/protocol.ts';
import { ReplyQueue } from '../../../src/nbd/reply-queue.ts';

/** A socket that takes what it is given when the test says so. */
function slowSocket() {
  const taken: Buffer[] = [];
  const waiting: (() => void)[] = [];
  const socket = new Writable({
    highWaterMark: 1,
    writev(chunks, done) {
      waiting.push(() => {
        for (const { chunk } of chunks) taken.push(Buffer.from(chunk as Buffer));
        done();
      });
    },
  });
  /** Lets one write through. */
  const take = async (): Promise<void> => {
    waiting.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { socket, waiting, take, bytes: () => Buffer.concat(taken) };
}

function cookieOf(i: number) {
  return { cookieHigh: 0, cookieLow: i, offset: i, command: COMMAND.READ };
}

function simpleReply(cookie: number, error: number, data: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32BE(0x67446698, 0);
  head.writeUInt32BE(error, 4);
  head.writeUInt32BE(cookie, 12);
  return Buffer.concat([head, data]);
}

test('what comes during a write goes out in one write after it', async () => {
  const { socket, waiting, take, bytes } = slowSocket();
  const written: number[] = [];
  const queue = new ReplyQueue(
    socket,
    (weight) => void written.push(weight),
    () => {},
  );
  queue.addStatus(cookieOf(1), 0, 10);
  queue.flush();
  for (const i of [2, 3, 4]) {
    queue.addRead({ ...cookieOf(i), length: 3 }, Buffer.from('abc'), 100);
    queue.flush();
  }
  expect([waiting.length, written, queue.busy]).toEqual([1, [], true]);
  await take();
  expect([waiting.length, written, queue.busy]).toEqual([1, [10], true]);
  await take();
  expect([waiting.length, written, queue.busy]).toEqual([0, [10, 300], false]);
  expect(bytes()).toEqual(
    Buffer.concat([simpleReply(1, 0), ...[2, 3, 4].map((i) => simpleReply(i, 0, Buffer.from('abc')))]),
  );
});

test('replies come out whole and in order, whatever their sizes and however slowly they are taken', async () => {
  const size = fc.oneof(fc.nat(100), fc.integer({ min: 16_000, max: 17_000 }), fc.nat(200_000));
  const step = fc.oneof(
    fc.record({ kind: fc.constant('read' as const), size }),
    fc.record({ kind: fc.constantFrom('status' as const, 'flush' as const, 'take' as const), size: fc.constant(0) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { socket, waiting, take, bytes } = slowSocket();
      let weight = 0;
      const released: Uint8Array[] = [];
      const add = (written: number): void => {
        weight += written;
      };
      // What is let go of is somebody else's at once.
      const queue = new ReplyQueue(socket, add, (data) => void released.push(data.fill(255)));
      const expected: Buffer[] = [];
      for (const [i, { kind, size }] of steps.entries()) {
        if (kind === 'take') await take();
        if (kind === 'flush') queue.flush();
        if (kind === 'status') {
          queue.addStatus(cookieOf(i), i, 1);
          expected.push(simpleReply(i, i));
        }
        if (kind === 'read') {
          const data = Buffer.alloc(size, i);
          expected.push(simpleReply(i, 0, data));
          queue.addRead({ ...cookieOf(i), length: size }, data, 1);
        }
      }
      queue.flush();
      while (waiting.length > 0) await take();
      expect(bytes().equals(Buffer.concat(expected))).toBe(true);
      expect([weight, queue.busy]).toEqual([expected.length, false]);
      expect(released).toHaveLength(steps.filter(({ kind }) => kind === 'read').length);
    }),
  );
});
