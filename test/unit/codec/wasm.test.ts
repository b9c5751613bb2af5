import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Code, encodeModule, i32, local, loopWhile, RETURN, when } from '../../../src/codec/wasm.ts';

interface Wasm {
  Memory: new (size: object) => { readonly buffer: SharedArrayBuffer };
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: { run(...numbers: number[]): number } };
}
const { Memory, Module, Instance } = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;

function run(body: Code, parameters: number[], fill: Uint8Array = new Uint8Array(0), pages = 1): number {
  const memory = new Memory({ initial: pages, maximum: pages, shared: true });
  new Uint8Array(memory.buffer).set(fill);
  const module = new Module(encodeModule({ parameters: parameters.length, locals: 2, pages }, body));
  return new Instance(module, { host: { memory } }).exports.run(...parameters);
}

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

test('every number is written so that it is read as itself', () => {
  fc.assert(
    fc.property(word, (value) => {
      expect(run(i32.const(value), [])).toBe(value);
    }),
  );
  for (const value of [0, 63, 64, -64, -65, 127, 128, 8191, 8192, -8192, -8193, 2 ** 31 - 1, -(2 ** 31)]) {
    expect(run(i32.const(value), [])).toBe(value);
  }
  expect(run(i32.const(2 ** 32 - 1), [])).toBe(-1);
});

test('instructions do what they are called', () => {
  const operations: [Code, (a: number, b: number) => number][] = [
    [i32.add, (a, b) => a + b],
    [i32.sub, (a, b) => a - b],
    [i32.mul, Math.imul],
    [i32.xor, (a, b) => a ^ b],
    [i32.shl, (a, b) => a << b],
    [i32.rotl, (a, b) => (a << b) | (b % 32 === 0 ? 0 : a >>> -b)],
    [i32.eq, (a, b) => Number(a === b)],
    [i32.ltU, (a, b) => Number(a >>> 0 < b >>> 0)],
    [i32.leU, (a, b) => Number(a >>> 0 <= b >>> 0)],
    [i32.remU, (a, b) => (a >>> 0) % (b >>> 0 || 1)],
  ];
  for (const [code, expected] of operations) {
    fc.assert(
      fc.property(word, word, (a, b) => {
        const divisor = code === i32.remU ? b || 1 : b;
        expect(run([...local.get(0), ...local.get(1), ...code], [a, divisor])).toBe(expected(a, divisor) | 0);
      }),
    );
  }
});

test('reads bytes and words at any offset, of a memory of any size', () => {
  const fill = Uint8Array.from({ length: 4096 }, (_, i) => (i * 37) >> 3);
  for (const offset of [0, 1, 127, 128, 1000]) {
    expect(run([...local.get(0), ...i32.load8U(offset)], [7], fill, 200)).toBe(fill[7 + offset]);
    const at = new DataView(fill.buffer).getInt32(8 + offset, true);
    expect(run([...local.get(0), ...i32.load(offset)], [8], fill, 200)).toBe(at);
  }
});

test('loops as long as it is told to, and returns out of the middle', () => {
  // Counts local 1 up to local 0; returns early when it is 7.
  const count = [
    ...loopWhile(
      [...local.get(1), ...i32.const(7), ...i32.eq],
      when(i32.const(-7), RETURN),
      [...local.get(1), ...i32.const(1), ...i32.add, ...local.tee(1)],
      local.get(0),
      i32.ltU,
    ),
    ...local.get(1),
  ];
  expect(run(count, [5])).toBe(5);
  expect(run(count, [7])).toBe(7);
  expect(run(count, [8])).toBe(-7);
});
