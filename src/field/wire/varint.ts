import { type Codec, CodecError, type FixedCodec } from '../../codec/struct.ts';

/** Whole numbers up to 2^53 - 1, seven bits a byte, low bits first, the high bit set on all but the last (LEB128). */
export const varint: Codec<number> = {
  sizeOf(value) {
    let size = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
    return size;
  },
  write(value, target, offset) {
    if (!Number.isSafeInteger(value) || value < 0) throw new CodecError(`${value} is no whole number up to 2^53 - 1`);
    let next = offset;
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) target[next++] = (rest % 128) + 128;
    if (next >= target.length) throw new CodecError(`no room for a number at offset ${offset}`);
    target[next++] = rest;
    return next;
  },
  read(source, offset) {
    let value = 0;
    let scale = 1;
    for (let next = offset; ; scale *= 128) {
      const byte = source[next++];
      if (byte === undefined) throw new CodecError(`number cut short at offset ${offset}`);
      value += (byte & 127) * scale;
      if (value > Number.MAX_SAFE_INTEGER || scale > 2 ** 49) throw new CodecError('number above 2^53 - 1');
      if (byte < 128) return [value, next];
    }
  },
};

/** 48 bits, big-endian: node ids and lives. */
export const u48: FixedCodec<number> = {
  size: 6,
  sizeOf: () => 6,
  write(value, target, offset) {
    if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** 48) throw new CodecError(`${value} is not 48 bits`);
    if (offset + 6 > target.length) throw new CodecError(`no room for 48 bits at offset ${offset}`);
    let rest = value;
    for (let i = 5; i >= 0; i--) {
      target[offset + i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    return offset + 6;
  },
  read(source, offset) {
    if (offset + 6 > source.length) throw new CodecError(`48 bits cut short at offset ${offset}`);
    let value = 0;
    for (let i = 0; i < 6; i++) value = value * 256 + (source[offset + i] as number);
    return [value, offset + 6];
  },
};

/** Any number of values of one kind, one behind the other, preceded by their count; `max` is checked before reading. */
export function several<T>(item: Codec<T>, max: number): Codec<readonly T[]> {
  return {
    sizeOf: (values) => values.reduce((sum, value) => sum + item.sizeOf(value), varint.sizeOf(values.length)),
    write(values, target, offset) {
      if (values.length > max) throw new CodecError(`${values.length} values where at most ${max} belong`);
      let next = varint.write(values.length, target, offset);
      for (const value of values) next = item.write(value, target, next);
      return next;
    },
    read(source, offset) {
      let [left, next] = varint.read(source, offset);
      // Every value takes a byte at least: a count that cannot be true is refused before anything is made of it.
      if (left > max || left > source.length - next) throw new CodecError(`count ${left} is too large`);
      const values: T[] = [];
      for (; left > 0; left--) {
        const [value, after] = item.read(source, next);
        values.push(value);
        next = after;
      }
      return [values, next];
    },
  };
}
