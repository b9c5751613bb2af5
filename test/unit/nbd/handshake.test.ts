import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encode } from '../../../src/codec/struct.ts';
import { encodeGreeting, Handshake, type HandshakeStep } from '../../../src/nbd/handshake.ts';
import { clientFlags, INFO, OPTION, REPLY } from '../../../src/nbd/protocol.ts';
import { infoData, optionBytes } from './raw-client.ts';

const EXPORT = { name: 'debian', description: 'A Debian', size: 5 * 2 ** 30, flags: 0x103 };
const FLAGS = encode(clientFlags, 3);

interface Reply {
  option: number;
  type: number;
  data: Buffer;
}

function parseReplies(step: HandshakeStep): Reply[] {
  return step.replies.map((bytes) => {
    const reply = Buffer.from(bytes);
    expect(reply.subarray(0, 8).toString('hex')).toBe('0003e889045565a9');
    expect(reply.readUInt32BE(16)).toBe(reply.length - 20);
    return { option: reply.readUInt32BE(8), type: reply.readUInt32BE(12), data: reply.subarray(20) };
  });
}

/** The step after client flags and one option. */
function ask(option: number, data?: Uint8Array): HandshakeStep {
  const handshake = new Handshake(EXPORT);
  expect(handshake.take(FLAGS)).toMatchObject({ replies: [], next: 'options' });
  return handshake.take(optionBytes(option, data));
}

test('the server greets with fixed newstyle and offers to leave out the zeroes', () => {
  expect(Buffer.from(encodeGreeting()).toString('latin1')).toBe('NBDMAGICIHAVEOPT\x00\x03');
});

test('GO tells size and flags, and what was asked for, and starts transmission', () => {
  const step = ask(OPTION.GO, infoData('', [INFO.BLOCK_SIZE, INFO.NAME, INFO.DESCRIPTION, 77]));
  expect(step.next).toBe('transmission');
  const replies = parseReplies(step);
  expect(replies.map((reply) => reply.type)).toEqual([REPLY.INFO, REPLY.INFO, REPLY.INFO, REPLY.INFO, REPLY.ACK]);
  expect(replies.map((reply) => reply.data.toString('hex')).slice(0, 2)).toEqual([
    '000000000001400000000103',
    '0003000000010000100002000000',
  ]);
  expect(replies[2]?.data.toString('latin1')).toBe('\x00\x01debian');
  expect(replies[3]?.data.toString('latin1')).toBe('\x00\x02A Debian');
});

test('INFO tells the same and goes on haggling', () => {
  const step = ask(OPTION.INFO, infoData('debian', []));
  expect(step.next).toBe('options');
  expect(parseReplies(step).map((reply) => reply.type)).toEqual([REPLY.INFO, REPLY.ACK]);
});

test('the same information asked for many times is told once', () => {
  const step = ask(OPTION.INFO, infoData('', new Array(100).fill(INFO.BLOCK_SIZE)));
  expect(parseReplies(step)).toHaveLength(3);
});

test('an export that is not there is ERR_UNKNOWN, and the client may ask again', () => {
  const handshake = new Handshake(EXPORT);
  handshake.take(FLAGS);
  const wrong = handshake.take(optionBytes(OPTION.GO, infoData('fedora', [])));
  expect([wrong.next, parseReplies(wrong)[0]?.type]).toEqual(['options', REPLY.ERR_UNKNOWN]);
  expect(handshake.take(optionBytes(OPTION.GO, infoData('debian', []))).next).toBe('transmission');
});

test('EXPORT_NAME starts transmission, with 124 zeroes for clients that want them', () => {
  for (const [flags, zeroes] of [
    [3, 0],
    [1, 124],
    [0, 124],
  ] as const) {
    const handshake = new Handshake(EXPORT);
    handshake.take(encode(clientFlags, flags));
    const step = handshake.take(optionBytes(OPTION.EXPORT_NAME, Buffer.from('debian')));
    expect(step.next).toBe('transmission');
    expect(Buffer.concat(step.replies).toString('hex')).toBe(`00000001400000000103${'00'.repeat(zeroes)}`);
  }
});

test('EXPORT_NAME of an export that is not there can only close', () => {
  expect(ask(OPTION.EXPORT_NAME, Buffer.from('fedora'))).toMatchObject({ next: 'close', replies: [] });
});

test('LIST names the export; with data it is ERR_INVALID', () => {
  const replies = parseReplies(ask(OPTION.LIST));
  expect(replies.map((reply) => reply.type)).toEqual([REPLY.SERVER, REPLY.ACK]);
  expect(replies[0]?.data.toString('latin1')).toBe('\x00\x00\x00\x06debian');
  expect(parseReplies(ask(OPTION.LIST, Buffer.alloc(1)))[0]?.type).toBe(REPLY.ERR_INVALID);
});

test('ABORT is acknowledged and closes without complaint', () => {
  const step = ask(OPTION.ABORT);
  expect([step.next, step.reason, parseReplies(step)[0]?.type]).toEqual(['close', undefined, REPLY.ACK]);
});

test('STRUCTURED_REPLY is agreed to, and changes what GO says', () => {
  const handshake = new Handshake(EXPORT);
  handshake.take(FLAGS);
  expect(parseReplies(handshake.take(optionBytes(OPTION.STRUCTURED_REPLY, Buffer.alloc(1))))[0]?.type).toBe(
    REPLY.ERR_INVALID,
  );
  expect(parseReplies(handshake.take(optionBytes(OPTION.STRUCTURED_REPLY)))[0]?.type).toBe(REPLY.ACK);
  const step = handshake.take(optionBytes(OPTION.GO, infoData('', [])));
  expect([step.next, step.structured]).toEqual(['transmission', true]);
  expect(parseReplies(step)[0]?.data.toString('hex')).toBe('000000000001400000000183');
});

test('options not spoken here are ERR_UNSUP and haggling goes on', () => {
  for (const option of [OPTION.STARTTLS, OPTION.SET_META_CONTEXT, 4711]) {
    const step = ask(option, Buffer.alloc(100));
    expect([step.next, parseReplies(step)[0]?.type]).toEqual(['options', REPLY.ERR_UNSUP]);
  }
});

test('GO with lengths that lie is ERR_INVALID', () => {
  for (const hex of [
    '',
    '0000',
    'ffffffff0000',
    '000000ff6465620000',
    '000000000002',
    '00000000000200ff',
    '0000000000000000',
  ]) {
    const data = Buffer.from(hex, 'hex');
    const step = ask(OPTION.GO, data);
    expect([hex, step.next, parseReplies(step)[0]?.type]).toEqual([hex, 'options', REPLY.ERR_INVALID]);
  }
});

test('an option longer than any sensible one is skipped and ERR_TOO_BIG; a huge one closes', () => {
  const handshake = new Handshake(EXPORT);
  handshake.take(FLAGS);
  const big = handshake.take(
    Buffer.concat([optionBytes(OPTION.INFO, Buffer.alloc(100_000)), optionBytes(OPTION.LIST)]),
  );
  expect(parseReplies(big).map((reply) => reply.type)).toEqual([REPLY.ERR_TOO_BIG, REPLY.SERVER, REPLY.ACK]);
  const header = Buffer.from(optionBytes(OPTION.INFO));
  header.writeUInt32BE(0xffffffff, 12);
  expect(handshake.take(header)).toMatchObject({ next: 'close', reason: 'option INFO of 4294967295 bytes' });
});

test('unknown client flags and a wrong magic number close', () => {
  expect(new Handshake(EXPORT).take(encode(clientFlags, 7)).next).toBe('close');
  const handshake = new Handshake(EXPORT);
  handshake.take(FLAGS);
  expect(handshake.take(Buffer.from('GET / HTTP/1.1\r\n')).next).toBe('close');
});

test('a client that haggles without end is closed', () => {
  const handshake = new Handshake(EXPORT);
  handshake.take(FLAGS);
  const step = handshake.take(Buffer.concat(Array.from({ length: 100 }, () => optionBytes(OPTION.LIST))));
  expect(step.next).toBe('close');
});

test('what follows the last option belongs to transmission', () => {
  const handshake = new Handshake(EXPORT);
  const step = handshake.take(Buffer.concat([FLAGS, optionBytes(OPTION.GO, infoData('', [])), Buffer.from('more')]));
  expect([step.next, Buffer.from(step.rest).toString()]).toEqual(['transmission', 'more']);
});

const someOption = fc.oneof(
  fc.tuple(fc.constantFrom(...Object.values(OPTION)), fc.uint8Array({ maxLength: 60 })),
  fc.tuple(fc.constant(OPTION.INFO), fc.constant(infoData('debian', [0, 1, 2, 3]))),
  fc.tuple(fc.constant(OPTION.LIST), fc.constant(new Uint8Array())),
  fc.tuple(fc.constant(99), fc.constant(new Uint8Array(9000))),
);

/** Everything the handshake says to `bytes` cut at `cuts`. */
function converse(bytes: Uint8Array, cuts: readonly number[]): { said: string; next: string; rest: string } {
  const handshake = new Handshake(EXPORT);
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const said: Uint8Array[] = [];
  let start = 0;
  for (const end of [...ends, bytes.length]) {
    const step = handshake.take(bytes.subarray(start, end));
    said.push(...step.replies);
    start = end;
    if (step.next === 'options') continue;
    const rest = step.next === 'transmission' ? Buffer.concat([step.rest, bytes.subarray(start)]) : Buffer.alloc(0);
    return { said: Buffer.concat(said).toString('hex'), next: step.next, rest: rest.toString('hex') };
  }
  return { said: Buffer.concat(said).toString('hex'), next: 'options', rest: '' };
}

test('however options are split into packets, the answers are the same', () => {
  fc.assert(
    fc.property(fc.array(someOption, { maxLength: 8 }), fc.array(fc.nat()), fc.uint8Array(), (options, cuts, tail) => {
      const bytes = Buffer.concat([FLAGS, ...options.map(([option, data]) => optionBytes(option, data)), tail]);
      expect(converse(bytes, cuts)).toEqual(converse(bytes, []));
    }),
  );
});

test('any bytes, split anywhere, are answered or closed, and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat()), fc.boolean(), (bytes, cuts, begun) => {
      const all = begun ? Buffer.concat([FLAGS, optionBytes(OPTION.GO, bytes), bytes]) : bytes;
      expect(['options', 'transmission', 'close']).toContain(converse(all, cuts).next);
    }),
  );
});
