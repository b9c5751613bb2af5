import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CodecError } from '../../../src/codec/struct.ts';
import { decodeOffer, encodeDiscover, internetChecksum } from '../../../src/net/dhcp-message.ts';

const XID = 0x12345678;
const IP = 20;
const UDP = 8;

/** A server's answer to a question: the question with the fields of an answer. */
function offer(options: readonly number[], xid = XID): Buffer {
  const packet = Buffer.concat([
    Buffer.from(encodeDiscover(xid, '52:54:00:12:34:56', [1])).subarray(0, IP + UDP + 240),
    Buffer.from(options),
  ]);
  packet[IP + UDP] = 2;
  packet.writeUInt16BE(67, IP);
  packet.writeUInt16BE(68, IP + 2);
  packet.writeUInt16BE(packet.length - IP, IP + 4);
  packet.set([10, 0, 0, 7], IP + UDP + 16);
  return packet;
}

const GOOD = [53, 1, 2, 54, 4, 10, 0, 0, 1, 224, 5, ...Buffer.from('viver'), 255];

describe('a question for DHCP servers', () => {
  test('is an IPv4 packet to everybody with a right checksum, from port 68 to 67', () => {
    const packet = Buffer.from(encodeDiscover(XID, '52:54:00:12:34:56', [1, 3], [60, 1, 65]));
    expect(internetChecksum(packet.subarray(0, IP))).toBe(0);
    expect(packet.readUInt16BE(2)).toBe(packet.length);
    expect([packet.readUInt16BE(IP), packet.readUInt16BE(IP + 2), packet.readUInt16BE(IP + 4)]).toEqual([
      68,
      67,
      packet.length - IP,
    ]);
    expect(packet.readUInt32BE(IP + UDP + 4)).toBe(XID);
    expect(packet.subarray(IP + UDP + 28, IP + UDP + 34).toString('hex')).toBe('525400123456');
    expect([...packet.subarray(IP + UDP + 236)]).toEqual([99, 130, 83, 99, 53, 1, 1, 55, 2, 1, 3, 60, 1, 65, 255]);
  });
});

describe('an offer', () => {
  test('names its server, the address and its options', () => {
    const found = decodeOffer(offer(GOOD), XID);
    expect(found).toMatchObject({ server: '10.0.0.1', yourAddress: '10.0.0.7' });
    expect(Buffer.from(found?.options.get(224) ?? []).toString()).toBe('viver');
  });

  test("to another question, of another kind, or not from a server's port is none", () => {
    expect(decodeOffer(offer(GOOD, 5), XID)).toBeUndefined();
    expect(decodeOffer(offer([53, 1, 5, 54, 4, 10, 0, 0, 1, 255]), XID)).toBeUndefined();
    const wrongPort = offer(GOOD);
    wrongPort.writeUInt16BE(1067, IP);
    expect(decodeOffer(wrongPort, XID)).toBeUndefined();
  });

  test('that is broken is a CodecError', () => {
    expect(() => decodeOffer(offer([53, 1, 2, 54, 4, 10]), XID)).toThrow(CodecError);
    expect(() => decodeOffer(offer([53, 1, 2, 255]), XID)).toThrow('without its server');
  });

  test('in any bytes is found, not there, or a CodecError', () => {
    const flipped = fc.array(fc.tuple(fc.nat(IP + UDP + 260), fc.nat(255)), { maxLength: 8 }).map((changes) => {
      const packet = offer(GOOD);
      for (const [at, value] of changes) if (at < packet.length) packet[at] = value;
      return new Uint8Array(packet);
    });
    const cut = fc.tuple(flipped, fc.nat(400)).map(([packet, length]) => packet.subarray(0, length));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), flipped, cut), (bytes) => {
        try {
          decodeOffer(bytes, XID);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
        }
      }),
    );
  });
});
