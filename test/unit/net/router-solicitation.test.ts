import fc from 'fast-check';
import { expect, test } from 'vitest';
import { internetChecksum } from '../../../src/net/dhcp-message.ts';
import { decodeSolicitation, encodeNoRouter, linkLocalOf } from '../../../src/net/router-solicitation.ts';

/** As iPXE sends it. */
const SOLICITATION = Buffer.from(
  `${'6000000000103aff' + 'fe800000000000005054' + '00fffe000021'}ff0200000000000000000000000000028500000000000000${'0101525400000021'}`,
  'hex',
);

test('a solicitation says who asks', () => {
  const asker = decodeSolicitation(SOLICITATION);
  expect(asker?.mac).toBe('52:54:00:00:00:21');
  expect(Buffer.from(asker?.address ?? []).toString('hex')).toBe('fe80000000000000505400fffe000021');
});

test('one that came over a router, is cut short, or says no link address is none', () => {
  const far = Buffer.from(SOLICITATION);
  far[7] = 254;
  const nameless = Buffer.from(SOLICITATION.subarray(0, 48));
  nameless.writeUInt16BE(8, 4);
  for (const packet of [far, nameless, SOLICITATION.subarray(0, 50), new Uint8Array()])
    expect(decodeSolicitation(packet)).toBeUndefined();
});

test('any bytes are a solicitation or none, and never an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(SOLICITATION.length), (bytes, kept) => {
      decodeSolicitation(bytes);
      decodeSolicitation(Buffer.concat([SOLICITATION.subarray(0, kept), bytes]));
    }),
  );
});

test('the answer offers no router, no prefix and no address server, and its checksum is right', () => {
  const from = linkLocalOf('52:54:00:00:00:11');
  expect(Buffer.from(from).toString('hex')).toBe('fe80000000000000505400fffe000011');
  const to = linkLocalOf('52:54:00:00:00:21');
  const packet = encodeNoRouter(from, to);
  expect([packet[6], packet[7], packet[40]]).toEqual([58, 255, 134]);
  expect(Buffer.from(packet.subarray(44)).toString('hex')).toBe('0'.repeat(24));
  const pseudo = [...from, ...to, 0, 0, 0, 16, 0, 0, 0, 58];
  expect(internetChecksum(Uint8Array.of(...pseudo, ...packet.subarray(40)))).toBe(0);
});

test('what is no MAC has no address', () => {
  expect(() => linkLocalOf('52:54:00')).toThrow('no MAC');
});
