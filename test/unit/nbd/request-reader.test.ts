import fc from 'fast-check';
import { expect, test } from 'vitest';
import { COMMAND, type Request } from '../../../src/nbd/protocol.ts';
import { emptyRequest, RequestReader } from '../../../src/nbd/request-reader.ts';
import { requestBytes } from './raw-client.ts';

/** All requests in `packets`, and how it ended. */
function readAll(packets: readonly Uint8Array[]): { requests: Request[]; end: string } {
  const reader = new RequestReader();
  const requests: Request[] = [];
  for (const packet of packets) {
    reader.take(packet);
    for (;;) {
      const target = emptyRequest();
      const found = reader.next(target);
      if (found === 'broken') return { requests, end: 'broken' };
      if (found === 'more') break;
      requests.push(target);
    }
  }
  return { requests, end: 'more' };
}

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.slice(ends[i - 1] ?? 0, end));
}

const anyRequest = fc.record({
  flags: fc.nat(0xffff),
  command: fc.constantFrom(...Object.values(COMMAND)),
  cookieHigh: fc.nat(0xffffffff),
  cookieLow: fc.nat(0xffffffff),
  offset: fc.maxSafeNat(),
  length: fc.nat(200),
});

test('requests come out as they went in, however they are split, the data of writes left out', () => {
  fc.assert(
    fc.property(fc.array(anyRequest, { maxLength: 40 }), fc.array(fc.nat()), (requests, cuts) => {
      const bytes = Buffer.concat(
        requests.flatMap((request) => [
          requestBytes(request),
          Buffer.alloc(request.command === COMMAND.WRITE ? request.length : 0, 0xee),
        ]),
      );
      expect(readAll(split(bytes, cuts))).toEqual({ requests, end: 'more' });
    }),
  );
});

test('any bytes, split anywhere, end in a request, in waiting, or broken', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat()), (bytes, cuts) => {
      expect(readAll(split(bytes, cuts)).end).toBe(bytes.length < 28 ? 'more' : 'broken');
    }),
  );
});

test('a stream that has lost its frame stays lost', () => {
  const reader = new RequestReader();
  reader.take(new Uint8Array(28));
  expect(reader.next(emptyRequest())).toBe('broken');
  reader.take(requestBytes({}));
  expect(reader.next(emptyRequest())).toBe('broken');
});

test('a write of 4 GiB holds no memory: its data is counted away', () => {
  const reader = new RequestReader();
  const target = emptyRequest();
  reader.take(requestBytes({ command: COMMAND.WRITE, length: 0xffffffff, cookieLow: 7 }));
  expect(reader.next(target)).toBe('more');
  const packet = new Uint8Array(2 ** 28);
  for (let i = 0; i < 15; i++) {
    reader.take(packet);
    expect(reader.next(target)).toBe('more');
  }
  reader.take(packet);
  expect([reader.next(target), target.cookieLow, reader.next(target)]).toEqual(['request', 7, 'more']);
});
