import { bytes, CodecError, cstring, literal, mapped, struct, u8, u16be } from '../../codec/struct.ts';
import { HELLO_MAGIC, VERSION } from './protocol.ts';
import { LIFE_LIMIT } from './record.ts';
import { u48 } from './varint.ts';

export const NONCE_SIZE = 16;

const magic = mapped(
  cstring(8),
  (text): undefined => {
    if (text !== HELLO_MAGIC) throw new CodecError('is not the greeting of a V-FIELD node');
  },
  () => HELLO_MAGIC,
);

const life = mapped(
  u48,
  (raw) => {
    if (raw === 0 || raw >= LIFE_LIMIT) throw new CodecError(`life ${raw}`);
    return raw;
  },
  (value) => value,
);

const port = mapped(
  u16be,
  (raw) => {
    if (raw === 0) throw new CodecError('port 0');
    return raw;
  },
  (value) => value,
);

/** The first thing either side of a connection says. */
export const hello = struct('hello', [
  ['magic', magic],
  ['version', literal(u8, VERSION)],
  /** 1: the sender's field has a key. */
  ['keyed', u8],
  ['image', bytes(32)],
  ['node', u48],
  ['life', life],
  /** Where the sender listens, at the address the connection comes from. */
  ['port', port],
  ['nonce', bytes(NONCE_SIZE)],
]);

/** Bytes of a hello. A proof follows the one of the side that was dialled, and then comes the dialler's. */
export const HELLO_SIZE = 56 + NONCE_SIZE;
