/**
 * What Ventoy tells the system it starts: which ISO file on which disk (Ventoy's ventoy_os_param, 512 bytes, described
 * in its include/ventoy.h).
 */
import { Head } from './content/head.ts';

const BYTES = 512;
/** 77772020-2e77-6576-6e74-6f792e6e6574 */
const GUID = '\x20\x20\x77\x77\x77\x2e\x76\x65\x6e\x74\x6f\x79\x2e\x6e\x65\x74';
const FIELD = { disk: 17, diskBytes: 33, partition: 41, path: 45, isoBytes: 429, signature: 481 };
const PATH_BYTES = 384;

export interface VentoyIso {
  /** From the root of the partition: `/iso/viver.iso`. */
  readonly path: string;
  readonly isoBytes: bigint;
  /** From 1. */
  readonly partition: number;
  /** Of the whole disk, in bytes. */
  readonly diskBytes: bigint;
  /** What Ventoy wrote at byte 0x180 of the disk when it was installed, in hex. */
  readonly disk: string;
}

/** @returns undefined for anything but such a record with its right checksum */
export function decodeVentoyParameters(bytes: Uint8Array): VentoyIso | undefined {
  if (bytes.length < BYTES) return undefined;
  const head = new Head(bytes.subarray(0, BYTES), BYTES);
  if (!head.has(0, GUID) || bytes.subarray(0, BYTES).reduce((sum, byte) => sum + byte, 0) % 256 !== 0) return undefined;
  const path = head.text(FIELD.path, PATH_BYTES);
  if (!path.startsWith('/')) return undefined;
  return {
    path,
    isoBytes: head.u64(FIELD.isoBytes),
    partition: head.u16(FIELD.partition),
    diskBytes: head.u64(FIELD.diskBytes),
    disk: Buffer.from(head.bytes(FIELD.disk, 16)).toString('hex'),
  };
}
