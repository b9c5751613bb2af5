/**
 * Enough of the WebAssembly binary format (https://webassembly.github.io/spec/core/binary/) to write one function that
 * works on shared memory: an instruction is an array of bytes, code is such arrays one after the other. The names are
 * those of the text format.
 */

export type Code = readonly number[];

/** Pages are 64 KiB. */
export const WASM_PAGE = 65536;

/** The type of a block, loop or if that leaves nothing on the stack. */
const NOTHING = 0x40;
const I32_TYPE = 0x7f;
const END = 0x0b;

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value | 0)],
  /** Of the address on the stack plus `offset`. */
  load: (offset: number): Code => [0x28, 2, ...unsigned(offset)],
  load8U: (offset: number): Code => [0x2d, 0, ...unsigned(offset)],
  eq: [0x46] as Code,
  ltU: [0x49] as Code,
  leU: [0x4d] as Code,
  add: [0x6a] as Code,
  sub: [0x6b] as Code,
  mul: [0x6c] as Code,
  remU: [0x70] as Code,
  xor: [0x73] as Code,
  shl: [0x74] as Code,
  rotl: [0x77] as Code,
};

export const local = {
  get: (index: number): Code => [0x20, ...unsigned(index)],
  set: (index: number): Code => [0x21, ...unsigned(index)],
  tee: (index: number): Code => [0x22, ...unsigned(index)],
};

export const RETURN: Code = [0x0f];
/** Repeats `body` for as long as what it leaves on the stack is not 0. */
export const loopWhile = (...body: Code[]): Code => [0x03, NOTHING, ...body.flat(), 0x0d, 0, END];
/** Does `body` when what is on the stack is not 0. */
export const when = (...body: Code[]): Code => [0x04, NOTHING, ...body.flat(), END];

/**
 * A module with one function, exported as `run`: takes `parameters` numbers, returns one, and has `locals` more, all of
 * them i32. Its memory is imported as `host.memory`: shared, of `pages` pages.
 */
export function encodeModule(
  { parameters, locals, pages }: { readonly parameters: number; readonly locals: number; readonly pages: number },
  body: Code,
): Uint8Array<ArrayBuffer> {
  const types = new Array<number>(parameters).fill(I32_TYPE);
  const code = [1, ...unsigned(locals), I32_TYPE, ...body, END];
  return Uint8Array.from([
    // "\0asm", version 1
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [0x60, ...unsigned(parameters), ...types, 1, I32_TYPE]),
    // 2: a memory; 3: shared, with a maximum
    ...section(2, [...name('host'), ...name('memory'), 2, 3, ...unsigned(pages), ...unsigned(pages)]),
    ...section(3, [0]),
    ...section(7, [...name('run'), 0, 0]),
    ...section(10, [...unsigned(code.length), ...code]),
  ]);
}

/** A section that holds one entry. */
function section(id: number, entry: Code): Code {
  return [id, ...unsigned(entry.length + 1), 1, ...entry];
}

function name(ascii: string): Code {
  return [ascii.length, ...Buffer.from(ascii, 'latin1')];
}

/** LEB128 of a whole number below 2^32. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

/** LEB128 of an i32, in two's complement. */
function signed(value: number): Code {
  const isLast = value >= -0x40 && value < 0x40;
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}
