import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  COMMAND,
  COMMAND_FLAG,
  ERROR,
  encodeOptionReply,
  MAX_READ_BYTES,
  nameOf,
  OPTION,
  payloadBytes,
  REPLY,
  REQUEST_BYTES,
  type Request,
  readRequest,
  requestError,
  writeErrorChunk,
  writeReadChunk,
  writeRequest,
  writeSimpleReply,
} from '../../../src/nbd/protocol.ts';
import { emptyRequest } from '../../../src/nbd/request-reader.ts';

const SIZE = 100 * 1024 * 1024;

function ask(request: Partial<Request>): number {
  return requestError({ ...emptyRequest(), ...request }, SIZE, false);
}

const anyRequest: fc.Arbitrary<Request> = fc.record({
  flags: fc.nat(0xffff),
  command: fc.nat(0xffff),
  cookieHigh: fc.nat(0xffffffff),
  cookieLow: fc.nat(0xffffffff),
  offset: fc.maxSafeNat(),
  length: fc.nat(0xffffffff),
});

test('a request is read as it was written', () => {
  fc.assert(
    fc.property(anyRequest, (request) => {
      const view = new DataView(new ArrayBuffer(REQUEST_BYTES));
      expect(writeRequest(view, 0, request)).toBe(REQUEST_BYTES);
      const found = emptyRequest();
      expect(readRequest(view, 0, found)).toBe(true);
      expect(found).toEqual(request);
    }),
  );
});

test('a request has the layout of the specification', () => {
  const bytes = Buffer.alloc(REQUEST_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  writeRequest(view, 0, { flags: 1, command: 2, cookieHigh: 3, cookieLow: 4, offset: 2 ** 40 + 5, length: 6 });
  expect(bytes.toString('hex')).toBe('25609513000100020000000300000004000001000000000500000006');
});

const COOKIE = { cookieHigh: 1, cookieLow: 2 };

/** What `write` writes, and nothing after it. */
function written(write: (view: DataView) => number): string {
  const view = new DataView(new ArrayBuffer(64));
  return Buffer.from(view.buffer, 0, write(view)).toString('hex');
}

test('replies have the layout of the specification', () => {
  expect(written((view) => writeSimpleReply(view, 0, ERROR.EINVAL, COOKIE))).toBe('67446698000000160000000100000002');
  expect(written((view) => writeReadChunk(view, 0, { ...COOKIE, offset: 2 ** 40 + 3, length: 4 }))).toBe(
    '668e33ef0001000100000001000000020000000c0000010000000003',
  );
  expect(written((view) => writeReadChunk(view, 0, { ...COOKIE, offset: 3, length: 0 }))).toBe(
    '668e33ef00010000000000010000000200000000',
  );
  expect(written((view) => writeErrorChunk(view, 0, ERROR.EINVAL, COOKIE))).toBe(
    '668e33ef00018001000000010000000200000006000000160000',
  );
});

test('an option reply has the layout of the specification', () => {
  const reply = Buffer.from(encodeOptionReply(OPTION.GO, REPLY.ERR_UNKNOWN, Buffer.from('no')));
  expect(reply.toString('hex')).toBe('0003e889045565a90000000780000006000000026e6f');
});

test('a wrong magic number is no request', () => {
  expect(readRequest(new DataView(new ArrayBuffer(REQUEST_BYTES)), 0, emptyRequest())).toBe(false);
});

test('reads within the export are good, aligned or not, and with FUA', () => {
  expect(ask({ offset: 0, length: 4096 })).toBe(0);
  expect(ask({ offset: 7, length: 13 })).toBe(0);
  expect(ask({ offset: SIZE - 1, length: 1 })).toBe(0);
  expect(ask({ offset: SIZE, length: 0 })).toBe(0);
  expect(ask({ offset: 0, length: MAX_READ_BYTES })).toBe(0);
  expect(ask({ offset: 0, length: 1, flags: COMMAND_FLAG.FUA })).toBe(0);
});

test('reads past the end or of more than 32 MiB are EINVAL', () => {
  expect(ask({ offset: SIZE - 1, length: 2 })).toBe(ERROR.EINVAL);
  expect(ask({ offset: SIZE + 1, length: 0 })).toBe(ERROR.EINVAL);
  expect(ask({ offset: 2 ** 64, length: 1 })).toBe(ERROR.EINVAL);
  expect(ask({ offset: 0, length: MAX_READ_BYTES + 1 })).toBe(ERROR.EINVAL);
  expect(ask({ offset: 0, length: 0xffffffff })).toBe(ERROR.EINVAL);
});

test('whatever would write is EPERM, wherever it would write', () => {
  for (const command of [COMMAND.WRITE, COMMAND.TRIM, COMMAND.WRITE_ZEROES]) {
    expect(ask({ command, offset: 0, length: 512 })).toBe(ERROR.EPERM);
    expect(ask({ command, offset: 2 * SIZE, length: 512, flags: COMMAND_FLAG.FUA })).toBe(ERROR.EPERM);
  }
});

test('FLUSH is good and DISC is never refused', () => {
  expect(ask({ command: COMMAND.FLUSH })).toBe(0);
  expect(ask({ command: COMMAND.FLUSH, offset: 1 })).toBe(ERROR.EINVAL);
  expect(ask({ command: COMMAND.DISC, flags: 0xffff, offset: 2 ** 60 })).toBe(0);
});

test('commands and flags that were not offered are EINVAL', () => {
  for (const command of [COMMAND.CACHE, COMMAND.BLOCK_STATUS, COMMAND.RESIZE, 9, 0xffff]) {
    expect(ask({ command, length: 1 })).toBe(ERROR.EINVAL);
  }
  expect(ask({ flags: COMMAND_FLAG.DF, length: 1 })).toBe(ERROR.EINVAL);
  expect(requestError({ ...emptyRequest(), flags: COMMAND_FLAG.DF, length: 1 }, SIZE, true)).toBe(0);
  expect(ask({ flags: 0x8000, length: 1 })).toBe(ERROR.EINVAL);
});

test('no request that passes reaches outside the export', () => {
  fc.assert(
    fc.property(anyRequest, fc.constantFrom(...Object.values(COMMAND)), (request, command) => {
      const read = { ...request, command, offset: request.offset % (2 * SIZE), length: request.length % (2 * SIZE) };
      if (requestError(read, SIZE, true) === 0 && command === COMMAND.READ) {
        expect(read.offset + read.length).toBeLessThanOrEqual(SIZE);
      }
    }),
  );
});

test('only a WRITE is followed by data', () => {
  expect(payloadBytes({ ...emptyRequest(), command: COMMAND.WRITE, length: 9 })).toBe(9);
  expect(payloadBytes({ ...emptyRequest(), command: COMMAND.READ, length: 9 })).toBe(0);
});

test('values are named from the same table', () => {
  expect(nameOf(COMMAND, 4)).toBe('TRIM');
  expect(nameOf(OPTION, 99)).toBe('0x63');
});
