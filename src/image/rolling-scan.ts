/**
 * The loop of the chunker, as WebAssembly: half a nanosecond per byte, where the same loop in JavaScript takes one, and
 * at that speed from the first megabyte on, while JavaScript is interpreted for long (COMPILE_LATE in
 * scripts/executable.ts).
 */
import { encodeModule, i32, local, loopWhile, RETURN, WASM_PAGE, when } from '../codec/wasm.ts';
import { BUZHASH_TABLE } from './buzhash-table.ts';

/** As far as it is used here; only TypeScript's library for browsers describes it. */
declare const WebAssembly: {
  Memory: new (size: { initial: number; maximum: number; shared: true }) => { readonly buffer: SharedArrayBuffer };
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** Bytes that the rolling hash is made of. */
export const WINDOW = 48;

/** When a hash cuts: where `discriminator` divides hash + 1, which (hash + 1) · `inverse` <= `limit` tells of its odd part. */
export interface CutRule {
  readonly discriminator: number;
  readonly inverse: number;
  readonly limit: number;
}

/**
 * Where to cut: the first address from `first` to `last` whose hash, that of the 48 bytes before it, says so; `last` or a
 * little more if none does.
 */
export type Scan = (first: number, last: number) => number;

/** Two tables of words lie at the start of the memory: what a byte contributes when it enters the window, and when it leaves. */
const ENTER = 0;
const LEAVE = 256 * 4;

/** Bytes looked at between two questions whether that was the last. */
const UNROLLED = 4;
/** What is kept before the bytes to scan, and behind them because of UNROLLED. */
export const SCAN_MARGIN = WASM_PAGE;

const FIRST = 0;
const LAST = 1;
const HASH = 2;
/** The address of the byte that leaves the window next. */
const AT = 3;

/** hash = rotl(hash, 1) ^ TABLE[byte at AT + offset] … */
const rotated = [...local.get(HASH), ...i32.const(1), ...i32.rotl];
const word = (table: number, offset: number) => [
  ...local.get(AT),
  ...i32.load8U(offset),
  ...i32.const(2),
  ...i32.shl,
  ...i32.load(table),
];
const roll = (offset: number) => [
  ...rotated,
  // These two first: the one before it, so that a step waits for no more of the step before than it must.
  ...word(LEAVE, offset),
  ...word(ENTER, offset + WINDOW),
  ...i32.xor,
  ...i32.xor,
  ...local.set(HASH),
];
const advance = (bytes: number) => [...local.get(AT), ...i32.const(bytes), ...i32.add, ...local.tee(AT)];

/** Returns AT + `offset` when the hash cuts. */
const returnIfCut = ({ discriminator, inverse, limit }: CutRule, offset: number) => [
  ...local.get(HASH),
  ...i32.const(inverse),
  ...i32.mul,
  ...i32.const(inverse),
  ...i32.add,
  ...i32.const(limit),
  ...i32.leU,
  ...when(
    [...local.get(HASH), ...i32.const(discriminator), ...i32.remU, ...i32.const(discriminator - 1), ...i32.eq],
    when(local.get(AT), i32.const(offset), i32.add, RETURN),
  ),
];

function scanCode(rule: CutRule): readonly number[] {
  const steps = Array.from({ length: UNROLLED }, (_, i) => [...roll(i), ...returnIfCut(rule, i + 1 + WINDOW)]);
  const toFirst = [...local.get(FIRST), ...i32.const(WINDOW), ...i32.sub, ...local.set(AT)];
  return [
    ...toFirst,
    ...loopWhile(rotated, word(ENTER, 0), i32.xor, local.set(HASH), advance(1), local.get(FIRST), i32.ltU),
    ...toFirst,
    ...returnIfCut(rule, WINDOW),
    ...loopWhile(...steps, advance(UNROLLED), i32.const(WINDOW), i32.add, local.get(LAST), i32.ltU),
    ...local.get(LAST),
  ];
}

/** A scan by `rule`, and memory with room for `length` bytes to scan from the address SCAN_MARGIN on. */
export function makeScan(rule: CutRule, length: number): { readonly scan: Scan; readonly buffer: SharedArrayBuffer } {
  const pages = Math.ceil((SCAN_MARGIN + length + SCAN_MARGIN) / WASM_PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const { buffer } = memory;
  new Int32Array(buffer, ENTER, 256).set(BUZHASH_TABLE);
  // By the time a byte leaves the window it has been rotated as many times as the window is long.
  const leaving = BUZHASH_TABLE.map((entering) => (entering << (WINDOW % 32)) | (entering >>> (32 - (WINDOW % 32))));
  new Int32Array(buffer, LEAVE, 256).set(leaving);
  const module = new WebAssembly.Module(encodeModule({ parameters: 2, locals: 2, pages }, scanCode(rule)));
  const { exports } = new WebAssembly.Instance(module, { host: { memory } });
  return { scan: exports.run as Scan, buffer };
}
