/** The classic capture format, microseconds, little-endian, Ethernet: draft-ietf-opsawg-pcap. */
const MAGIC = 0xa1b2c3d4;
const LINK_TYPE_ETHERNET = 1;
const LONGEST = 65_536;

export function pcapHeader(): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(LONGEST, 16);
  header.writeUInt32LE(LINK_TYPE_ETHERNET, 20);
  return header;
}

/** One frame. @param atMs since the epoch */
export function pcapRecord(frame: Uint8Array, atMs: number): Buffer {
  const kept = frame.subarray(0, LONGEST);
  const header = Buffer.alloc(16);
  const microseconds = Math.floor(atMs * 1000);
  header.writeUInt32LE(Math.floor(microseconds / 1_000_000), 0);
  header.writeUInt32LE(microseconds % 1_000_000, 4);
  header.writeUInt32LE(kept.length, 8);
  header.writeUInt32LE(frame.length, 12);
  return Buffer.concat([header, kept]);
}
