/** What the start of a disk says of an ISO 9660 file system on it (ECMA-119, 8.4). */

const VOLUME_AT = 16 * 2048;
const BLOCK_BYTES = 2048;
/** So much of a disk's start has to be read. */
export const ISO_START_BYTES = VOLUME_AT + BLOCK_BYTES;

export interface IsoVolume {
  readonly name: string;
  readonly endBytes: number;
}

/** @returns undefined when there is none */
export function isoVolume(start: Uint8Array): IsoVolume | undefined {
  if (start.length < ISO_START_BYTES) return undefined;
  const volume = Buffer.from(start.buffer, start.byteOffset + VOLUME_AT, BLOCK_BYTES);
  if (volume.toString('latin1', 1, 6) !== 'CD001') return undefined;
  return { name: volume.toString('latin1', 40, 72).trimEnd(), endBytes: volume.readUInt32LE(80) * BLOCK_BYTES };
}
