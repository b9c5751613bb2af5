/**
 * V-FIELD on one page. docs/v-field.md says the same in words. Numbers are big-endian; a `varint` is LEB128; a node is
 * 48 bits chosen at random and kept for as long as the node has a place to keep it; a life is the wall clock in
 * milliseconds at which that node last started.
 *
 *     datagram (UDP)      0 "VF" · 2 version · 3 kind · 4 field (8 bytes of the image id) · 12 sender (6)
 *                        18 chunks in the image (4; 0: not known yet) · 22 sections · MAC (16) when the field has a key
 *       section           type (1) · length (2) · body
 *       seek              0 "VF" · 2 version · 3 kind 6 · 4 number (4) · 8 zeroes (200) · MAC as above
 *       offer             0 "VF" · 2 version · 3 kind 7 · 4 number (4) · 8 node (6) · 14 image id (32)
 *                        46 bytes in the image (8) · 54 its name, length (1) before it, UTF-8 · MAC as above
 *     connection (TCP)    the dialler fetches, the one dialled gives
 *       hello, both ways  0 "VIVER-FD" · 8 version · 9 flags · 10 image id (32) · 42 node (6) · 48 life (6)
 *                        54 port (2) · 56 nonce (16)
 *       proof             32 bytes, only when the field has a key: of the one dialled behind its hello, then the dialler
 *       frame             length of body (4) · type (1) · body
 */

export const VERSION = 2;

export const DATAGRAM_MAGIC = 0x5646;
export const HELLO_MAGIC = 'VIVER-FD';

export const KIND = { join: 1, find: 2, 'notify up': 3, 'notify down': 4, prove: 5 } as const;
export type Kind = keyof typeof KIND;
/** Of datagrams that belong to no field (seek.ts): magic, version and kind as above, then a number of the seeker's. */
export const SEEK_KIND = 6;
export const OFFER_KIND = 7;

export const SECTION = {
  records: 1,
  question: 2,
  answer: 3,
  cookie: 4,
  observed: 5,
  digest: 6,
  buckets: 7,
  scope: 8,
  hashes: 9,
  wants: 10,
  down: 11,
  ranges: 12,
} as const;
export type SectionName = keyof typeof SECTION;

export const FRAME = {
  subscribe: 1,
  get: 2,
  cancel: 3,
  got: 4,
  'get index': 5,
  'get papers': 6,
  holdings: 16,
  have: 17,
  pointers: 18,
  lack: 19,
  data: 20,
  index: 21,
  refuse: 22,
  'index at': 23,
  papers: 24,
  profile: 25,
} as const;
export type FrameName = keyof typeof FRAME;

/** UDP port, TCP port and multicast group of a field where nothing else is said. */
export const DEFAULT_PORT = 20_070;
/** Administratively scoped (RFC 2365): stays within the site. */
export const MULTICAST_GROUP = '239.255.20.7';

/** Bytes of a datagram that fit any path without fragments (IPv6 minimum MTU less headers). */
export const DATAGRAM_TARGET = 1200;
/** Answers that name every row of a bucket may need more than that: then IP fragments them. */
export const DATAGRAM_LIMIT = 16 * 1024;

/** Bytes in a frame other than `data` and `index`. */
export const CONTROL_FRAME_LIMIT = 64 * 1024;
