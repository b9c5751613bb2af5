/**
 * How bytes become values. A codec is small and pure; a record is an ordered list of named fields, and its TypeScript
 * type follows from that list:
 *
 *     const header = struct('header', [['magic', literal(u32le, 0x73717368)], ['count', u16le], ['name', cstring(16)]]);
 *     const [{ count, name }, next] = header.read(bytes, 0);
 *
 * Every length is checked before anything is read, written or allocated; what does not fit is one CodecError.
 */
export interface Codec<T> {
  /** Bytes this value takes when written. */
  sizeOf(value: T): number;
  /** Writes `value` at `offset`; returns the offset after it. */
  write(value: T, target: Uint8Array, offset: number): number;
  /** The value at `offset` and the offset after it. Byte fields are views of `source`, not copies. */
  read(source: Uint8Array, offset: number): [value: T, next: number];
}

/** A codec whose values all take the same number of bytes. */
export interface FixedCodec<T> extends Codec<T> {
  /** Bytes of every value. */
  readonly size: number;
}

/** Bytes that are too short, a length that lies, or a value that does not fit its field. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

export type Fields = readonly (readonly [name: string, codec: Codec<unknown>])[];

type ValueOf<C> = C extends Codec<infer T> ? T : never;
type Named<F extends Fields> = Extract<F[number], readonly [string, unknown]>;

/** The record that `fields` describe; padding and literals are not part of it. */
export type StructOf<F extends Fields> = {
  -readonly [E in Named<F> as ValueOf<E[1]> extends undefined ? never : E[0]]: ValueOf<E[1]>;
};

function need(bytes: Uint8Array, offset: number, size: number): void {
  if (offset < 0 || size > bytes.length - offset) {
    throw new CodecError(`needs ${size} bytes at offset ${offset}, has ${Math.max(0, bytes.length - offset)}`);
  }
}

// The callers have checked the range with `need`.
function at(bytes: Uint8Array, offset: number): number {
  return bytes[offset] as number;
}

function fixed<T>(
  size: number,
  get: (source: Uint8Array, offset: number) => T,
  set: (value: T, target: Uint8Array, offset: number) => void,
): FixedCodec<T> {
  return {
    size,
    sizeOf: () => size,
    write(value, target, offset) {
      need(target, offset, size);
      set(value, target, offset);
      return offset + size;
    },
    read(source, offset) {
      need(source, offset, size);
      return [get(source, offset), offset + size];
    },
  };
}

function checkInteger(value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new CodecError(`${value} is not a whole number from ${min} to ${max}`);
  }
}

/** Plain multiplication instead of shifts: right up to 2^53 - 1, where shifts stop at 32 bits. */
function unsigned(size: number, bigEndian: boolean): FixedCodec<number> {
  const max = size < 8 ? 2 ** (8 * size) - 1 : Number.MAX_SAFE_INTEGER;
  const indexOf = (i: number): number => (bigEndian ? size - 1 - i : i);
  return fixed(
    size,
    (source, offset) => {
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + at(source, offset + indexOf(i));
      if (value > max) throw new CodecError(`${value} is past 2^53 - 1`);
      return value;
    },
    (value, target, offset) => {
      checkInteger(value, 0, max);
      let rest = value;
      for (let i = 0; i < size; i++) {
        target[offset + indexOf(i)] = rest % 256;
        rest = Math.floor(rest / 256);
      }
    },
  );
}

function big(bigEndian: boolean): FixedCodec<bigint> {
  const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return fixed(
    8,
    (source, offset) => view(source).getBigUint64(offset, !bigEndian),
    (value, target, offset) => {
      if (value !== BigInt.asUintN(64, value)) throw new CodecError(`${value} is not an unsigned 64-bit number`);
      view(target).setBigUint64(offset, value, !bigEndian);
    },
  );
}

function signed(from: FixedCodec<number>): FixedCodec<number> {
  const range = 2 ** (8 * from.size);
  const decode = (raw: number): number => (raw >= range / 2 ? raw - range : raw);
  const encode = (value: number): number => {
    checkInteger(value, -range / 2, range / 2 - 1);
    return value < 0 ? value + range : value;
  };
  return fixed(
    from.size,
    (source, offset) => decode(from.read(source, offset)[0]),
    (value, target, offset) => void from.write(encode(value), target, offset),
  );
}

export const u8 = unsigned(1, false);
export const u16le = unsigned(2, false);
export const u16be = unsigned(2, true);
export const u32le = unsigned(4, false);
export const u32be = unsigned(4, true);
/** As a number: refused above 2^53 - 1. */
export const u64le = unsigned(8, false);
export const u64be = unsigned(8, true);
/** For magic numbers and hashes, whose 64 bits are no quantity. */
export const u64leBig = big(false);
export const u64beBig = big(true);
export const i8 = signed(u8);
export const i16le = signed(u16le);
export const i32le = signed(u32le);
export const i32be = signed(u32be);

/** Exactly `size` bytes. Reading gives a view. */
export function bytes(size: number): FixedCodec<Uint8Array> {
  return fixed(
    size,
    (source, offset) => source.subarray(offset, offset + size),
    (value, target, offset) => {
      if (value.length !== size) throw new CodecError(`${value.length} bytes where ${size} belong`);
      target.set(value, offset);
    },
  );
}

const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

function decodeText(source: Uint8Array): string {
  try {
    return utf8Decoder.decode(source);
  } catch (cause) {
    throw new CodecError('is not UTF-8', { cause });
  }
}

/** UTF-8 text in a field of `size` bytes, ended by NUL when it is shorter (as `char name[16]` in C). */
export function cstring(size: number): FixedCodec<string> {
  return fixed(
    size,
    (source, offset) => {
      const end = source.subarray(offset, offset + size).indexOf(0);
      return decodeText(source.subarray(offset, offset + (end < 0 ? size : end)));
    },
    (value, target, offset) => {
      const text = utf8Encoder.encode(value);
      if (text.length > size || text.includes(0)) {
        throw new CodecError(`${JSON.stringify(value)} does not fit ${size} bytes without NUL`);
      }
      target.fill(0, offset, offset + size);
      target.set(text, offset);
    },
  );
}

/** Zero bytes that carry nothing: written as zeroes, not looked at when read, and no part of the record. */
export function padding(size: number): FixedCodec<undefined> {
  return fixed(
    size,
    () => undefined,
    (_value, target, offset) => void target.fill(0, offset, offset + size),
  );
}

/** A magic number or version that must be `value`; no part of the record. */
export function literal<T extends number | bigint>(codec: FixedCodec<T>, value: T): FixedCodec<undefined> {
  const hex = (found: T): string => `0x${found.toString(16)}`;
  return fixed(
    codec.size,
    (source, offset) => {
      const [found] = codec.read(source, offset);
      if (found !== value) throw new CodecError(`is ${hex(found)}, must be ${hex(value)}`);
      return undefined;
    },
    (_nothing, target, offset) => void codec.write(value, target, offset),
  );
}

/** The bytes up to the end of the input. Reading gives a view. */
export const rest: Codec<Uint8Array> = {
  sizeOf: (value) => value.length,
  write(value, target, offset) {
    need(target, offset, value.length);
    target.set(value, offset);
    return offset + value.length;
  },
  read(source, offset) {
    need(source, offset, 0);
    return [source.subarray(offset), source.length];
  },
};

/** Bytes preceded by their length. A length above `max` is refused before it is believed. */
export function prefixed(length: Codec<number>, max: number): Codec<Uint8Array> {
  const check = (size: number): void => {
    if (size > max) throw new CodecError(`length ${size} is above ${max}`);
  };
  return {
    sizeOf: (value) => length.sizeOf(value.length) + value.length,
    write(value, target, offset) {
      check(value.length);
      return rest.write(value, target, length.write(value.length, target, offset));
    },
    read(source, offset) {
      const [size, start] = length.read(source, offset);
      check(size);
      need(source, start, size);
      return [source.subarray(start, start + size), start + size];
    },
  };
}

/** UTF-8 text preceded by its length in bytes. */
export function prefixedText(length: Codec<number>, max: number): Codec<string> {
  const inner = prefixed(length, max);
  return mapped(inner, decodeText, (text) => utf8Encoder.encode(text));
}

/** A list preceded by its count. `max` counts values, and a count that the input cannot hold is refused at once. */
export function listOf<T>(count: Codec<number>, item: FixedCodec<T>, max: number): Codec<T[]> {
  const check = (length: number): void => {
    if (length > max) throw new CodecError(`count ${length} is above ${max}`);
  };
  return {
    sizeOf: (values) => count.sizeOf(values.length) + values.length * item.size,
    write(values, target, offset) {
      check(values.length);
      let next = count.write(values.length, target, offset);
      for (const value of values) next = item.write(value, target, next);
      return next;
    },
    read(source, offset) {
      let [length, next] = count.read(source, offset);
      check(length);
      need(source, next, length * item.size);
      const values: T[] = [];
      for (; length > 0; length--) {
        const [value, after] = item.read(source, next);
        values.push(value);
        next = after;
      }
      return [values, next];
    },
  };
}

/** The same bytes seen as another type. */
export function mapped<Raw, T>(
  codec: FixedCodec<Raw>,
  decode: (raw: Raw) => T,
  encode: (value: T) => Raw,
): FixedCodec<T>;
export function mapped<Raw, T>(codec: Codec<Raw>, decode: (raw: Raw) => T, encode: (value: T) => Raw): Codec<T>;
export function mapped<Raw, T>(codec: Codec<Raw>, decode: (raw: Raw) => T, encode: (value: T) => Raw): Codec<T> {
  const mappedCodec: Codec<T> = {
    sizeOf: (value) => codec.sizeOf(encode(value)),
    write: (value, target, offset) => codec.write(encode(value), target, offset),
    read(source, offset) {
      const [raw, next] = codec.read(source, offset);
      return [decode(raw), next];
    },
  };
  return isFixed(codec) ? Object.assign(mappedCodec, { size: codec.size }) : mappedCodec;
}

function isFixed<T>(codec: Codec<T>): codec is FixedCodec<T> {
  return 'size' in codec;
}

function inField(record: string, field: string, error: unknown): unknown {
  if (!(error instanceof CodecError)) return error;
  return new CodecError(`${record}.${field}: ${error.message}`, { cause: error.cause });
}

type StructCodec<F extends Fields> =
  F[number][1] extends FixedCodec<unknown> ? FixedCodec<StructOf<F>> : Codec<StructOf<F>>;

/** A record: the fields one after another, without gaps. `name` is what errors call it. */
export function struct<const F extends Fields>(name: string, fields: F): StructCodec<F> {
  const get = (record: StructOf<F>, field: string): unknown => (record as Record<string, unknown>)[field];
  const codec: Codec<StructOf<F>> = {
    sizeOf: (record) => fields.reduce((sum, [field, codec]) => sum + codec.sizeOf(get(record, field)), 0),
    write(record, target, offset) {
      let next = offset;
      for (const [field, codec] of fields) {
        try {
          next = codec.write(get(record, field), target, next);
        } catch (error) {
          throw inField(name, field, error);
        }
      }
      return next;
    },
    read(source, offset) {
      const record: Record<string, unknown> = {};
      let next = offset;
      for (const [field, codec] of fields) {
        try {
          const [value, after] = codec.read(source, next);
          if (value !== undefined) record[field] = value;
          next = after;
        } catch (error) {
          throw inField(name, field, error);
        }
      }
      return [record as StructOf<F>, next];
    },
  };
  const sizes = fields.map(([, codec]) => (isFixed(codec) ? codec.size : Number.NaN));
  const size = sizes.reduce((sum, next) => sum + next, 0);
  return (Number.isNaN(size) ? codec : Object.assign(codec, { size })) as StructCodec<F>;
}

/** The bytes of `value` alone. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array<ArrayBuffer> {
  const target = new Uint8Array(codec.sizeOf(value));
  codec.write(value, target, 0);
  return target;
}

/** The value at the start of `source`; bytes after it are not looked at. */
export function decode<T>(codec: Codec<T>, source: Uint8Array): T {
  return codec.read(source, 0)[0];
}
