/** Checksums that signatures carry. Bitwise: they run over a few hundred bytes of a device in a hundred. */

/** CRC-32 with a reflected polynomial, without a last inversion. */
function crc(polynomial: number, initial: number, bytes: Uint8Array): number {
  let value = initial;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (polynomial & -(value & 1));
  }
  return value >>> 0;
}

/** The CRC-32 of Ethernet and zlib. */
export const crc32 = (bytes: Uint8Array): number => ~crc(0xedb8_8320, 0xffff_ffff, bytes) >>> 0;

/** Castagnoli's, as iSCSI, btrfs and Stratis have it. */
export const crc32c = (bytes: Uint8Array): number => ~crc(0x82f6_3b78, 0xffff_ffff, bytes) >>> 0;

/** As mdadm writes it into DDF headers: from zero, without inversion. */
export const ddfCrc = (bytes: Uint8Array): number => crc(0xedb8_8320, 0, bytes);

/** As LVM2 has it (lib/misc/crc.c): another start, no inversion. */
export const lvmCrc = (bytes: Uint8Array): number => crc(0xedb8_8320, 0xf597_a6cf, bytes);

const CRC64_WE = 0x42f0_e1eb_a9ea_3693n;
const TOP = 1n << 63n;
const MASK = (1n << 64n) - 1n;

/** CRC-64/WE, as bcache has it. */
export function crc64(bytes: Uint8Array): bigint {
  let value = MASK;
  for (const byte of bytes) {
    value ^= BigInt(byte) << 56n;
    for (let bit = 0; bit < 8; bit++) value = (value & TOP) !== 0n ? ((value << 1n) & MASK) ^ CRC64_WE : value << 1n;
  }
  return value ^ MASK;
}
