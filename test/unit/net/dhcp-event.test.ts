import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DhcpEvent, DhcpEventReader } from '../../../src/net/dhcp-event.ts';

function written({ event, variables }: DhcpEvent): Buffer {
  const lines = Object.entries({ event, ...variables }).map(([name, value]) => `${name}=${value}\0`);
  return Buffer.from(`${lines.join('')}\0`);
}

const text = fc.string().map((value) => value.replaceAll('\0', '').toWellFormed());
const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,9}$/).filter((word) => word !== 'event');
const event: fc.Arbitrary<DhcpEvent> = fc.record({
  event: fc.constantFrom('bound', 'renew', 'deconfig'),
  variables: fc.dictionary(name, text, { noNullPrototype: true }),
});

test('events are read as written, in pieces of any size, whatever the values hold', () => {
  fc.assert(
    fc.property(fc.array(event), fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (events, sizes) => {
      const reader = new DhcpEventReader();
      const read: DhcpEvent[] = [];
      let rest = Buffer.concat(events.map(written));
      while (rest.length > 0) {
        const size = sizes.next().value;
        read.push(...reader.push(rest.subarray(0, size)));
        rest = rest.subarray(size);
      }
      expect(read).toEqual(events);
    }),
  );
});

test('any bytes are events or not, and no error', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void new DhcpEventReader().push(bytes)));
});

test('an event without an end is refused before it fills the memory', () => {
  const reader = new DhcpEventReader();
  const piece = Buffer.alloc(64 * 1024, 'x');
  expect(() => {
    for (let i = 0; i < 5; i++) reader.push(piece);
  }).toThrow('does not end');
});
