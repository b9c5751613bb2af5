import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeVentoyParameters } from '../../../src/media/ventoy.ts';

/** Field by field as ventoy_os_param in Ventoy's include/ventoy.h has them. */
function record(path: string): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.writeUInt32LE(0x7777_2020, 0);
  bytes.writeUInt16LE(0x2e77, 4);
  bytes.writeUInt16LE(0x6576, 6);
  bytes.write('ntoy.net', 8);
  Buffer.from('00112233445566778899aabbccddeeff', 'hex').copy(bytes, 17);
  bytes.writeBigUInt64LE(64_000_000_000n, 33);
  bytes.writeUInt16LE(1, 41);
  bytes.write(path, 45);
  bytes.writeBigUInt64LE(273_401_856n, 429);
  bytes[16] = 256 - (bytes.reduce((sum, byte) => sum + byte, 0) % 256);
  return bytes;
}

test('what Ventoy says it started is read', () => {
  expect(decodeVentoyParameters(record('/Linux ISOs/viver größer.iso'))).toEqual({
    path: '/Linux ISOs/viver größer.iso',
    isoBytes: 273_401_856n,
    partition: 1,
    diskBytes: 64_000_000_000n,
    disk: '00112233445566778899aabbccddeeff',
  });
});

test('a record with another checksum, another GUID, no path, or cut short is none', () => {
  const sound = record('/x.iso');
  for (const at of [0, 15, 16, 45, 511]) {
    const bytes = Uint8Array.from(sound);
    bytes[at] = (bytes[at] ?? 0) + 1;
    expect(decodeVentoyParameters(bytes)).toBeUndefined();
  }
  expect(decodeVentoyParameters(sound.subarray(0, 511))).toBeUndefined();
  expect(decodeVentoyParameters(record('x.iso'))).toBeUndefined();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => decodeVentoyParameters(bytes) === undefined));
});
