import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CodecError, decode, encode } from '../../../../src/codec/struct.ts';
import {
  type BootOrder,
  type BootRun,
  bootOrderCodec,
  faultOf,
  fittingOrder,
} from '../../../../src/field/wire/boot-order.ts';
import { encodeControlFrame, FrameDecoder, isProfileWish, PROFILE_WISH } from '../../../../src/field/wire/frame.ts';
import { varint } from '../../../../src/field/wire/varint.ts';
import { anyBootOrder } from '../arbitrary.ts';

const varints = (...values: readonly number[]): Uint8Array =>
  Buffer.concat(values.map((value) => encode(varint, value)));

const decoded = (bytes: Uint8Array): BootOrder => {
  const [order, end] = bootOrderCodec.read(bytes, 0);
  expect(end).toBe(bytes.length);
  return order;
};

test('a profile comes out as it went in, and names nothing twice', () => {
  fc.assert(
    fc.property(anyBootOrder, (order) => {
      expect(decode(bootOrderCodec, encode(bootOrderCodec, order))).toEqual(order);
      expect(faultOf(order, 2001)).toBeUndefined();
      expect(fittingOrder(order)).toEqual(order);
    }),
  );
});

test('a usual boot, 400 runs of an image of 3000 chunks, is a kilobyte or two', () => {
  const runs = Array.from({ length: 400 }, (_, i): BootRun => {
    const start = ((i * 7919) % 400) * 7;
    return { start, end: start + 1 + (i % 5), boots: 1 + (i % 4) };
  });
  expect(encode(bootOrderCodec, { boots: 4, runs }).length).toBeLessThan(2000);
});

test('any bytes are a profile within its bounds, or are refused', () => {
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(fc.oneof(fc.nat(300), fc.maxSafeNat()), { maxLength: 30 }).map((values) => varints(...values)),
  );
  fc.assert(
    fc.property(anyBytes, fc.nat(3000), (bytes, chunks) => {
      let order: BootOrder;
      try {
        [order] = bootOrderCodec.read(bytes, 0);
      } catch (error) {
        expect(error).toBeInstanceOf(CodecError);
        return;
      }
      const named = order.runs.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i));
      expect(named.length).toBeGreaterThan(0);
      expect(named.length).toBeLessThanOrEqual(65_536);
      expect(order.runs.every(({ boots }) => boots >= 1 && boots <= order.boots && order.boots <= 255)).toBe(true);
      const isGood = new Set(named).size === named.length && named.every((chunk) => chunk >= 0 && chunk < chunks);
      expect(faultOf(order, chunks) === undefined).toBe(isGood);
    }),
  );
});

test('what is wrong is named', () => {
  const wrong: [readonly number[], RegExp][] = [
    [[0, 1, 0, 1, 1], /0 boots/],
    [[256, 1, 0, 1, 1], /256 boots/],
    [[1, 0], /nothing/],
    [[1, 1, 0, 0, 1], /run of 0 chunks/],
    [[1, 1, 0, 65_537, 1], /run of 65537 chunks/],
    [[1, 2, 0, 65_536, 1, 0, 1, 1], /run of 1 chunks/],
    [[1, 1, 1, 1, 1], /chunk -1/],
    [[1, 1, 2 ** 33, 1, 1], /chunk 4294967296/],
    [[1, 1, 0, 1, 0], /0 of 1 boots/],
    [[1, 1, 0, 1, 2], /2 of 1 boots/],
    [[1, 8193, 0, 1, 1], /count 8193/],
    [[1, 2 ** 40, 0, 1, 1], /count/],
  ];
  for (const [values, why] of wrong) expect(() => decoded(varints(...values))).toThrow(why);
  expect(faultOf(decoded(varints(1, 1, 0, 3, 1)), 3)).toBeUndefined();
  expect(faultOf(decoded(varints(1, 1, 0, 3, 1)), 2)).toMatch(/names chunk 2 of 2/);
  // Back by three: the same one once more.
  expect(faultOf(decoded(varints(1, 2, 0, 3, 1, 5, 1, 1)), 9)).toMatch(/names chunk 0 twice/);
});

test('what does not fit into a frame is left away from its end', () => {
  const runs = Array.from({ length: 20_000 }, (_, i) => ({
    start: 2 ** 31 - 5 * i,
    end: 2 ** 31 - 5 * i + 1,
    boots: 1,
  }));
  const fitting = fittingOrder({ boots: 1, runs });
  expect(fitting?.runs).toEqual(runs.slice(0, 8192));
  const long = fittingOrder({ boots: 1, runs: runs.map((run) => ({ ...run, end: run.start + 70_000 })) });
  expect(long).toBeUndefined();
  // Steps of five bytes: the frame's own limit counts.
  const far = Array.from({ length: 8192 }, (_, i) => ({
    start: (i % 2) * 2 ** 31 + i,
    end: (i % 2) * 2 ** 31 + i + 1,
    boots: 200,
  }));
  const cut = fittingOrder({ boots: 200, runs: far });
  expect(cut?.runs.length).toBeLessThan(8192);
  expect(encodeControlFrame({ kind: 'profile', ...(cut as BootOrder) }).length).toBeLessThanOrEqual(64 * 1024);
  expect(fittingOrder({ boots: 256, runs })).toBeUndefined();
});

test('the wish is a get of nothing to whoever does not know it', () => {
  expect([...encodeControlFrame(PROFILE_WISH)]).toEqual([0, 0, 0, 3, 2, 0, 1, 0]);
  const seen: boolean[] = [];
  const none = (): void => {};
  const decoder = new FrameDecoder({
    ...{ dataStart: none, indexStart: none, body: none, bodyEnd: none },
    control: (frame) => seen.push(frame.kind === 'get' && isProfileWish(frame)),
  });
  const get = { kind: 'get', choose: false, urgent: false, insist: false } as const;
  decoder.push(encodeControlFrame(PROFILE_WISH));
  decoder.push(encodeControlFrame({ ...get, count: 1, ranges: [{ start: 0, end: 1 }] }));
  decoder.push(encodeControlFrame({ ...get, count: 0, ranges: [] }));
  decoder.push(encodeControlFrame({ ...get, choose: true, count: 1, ranges: [] }));
  expect(seen).toEqual([true, false, false, false]);
});
