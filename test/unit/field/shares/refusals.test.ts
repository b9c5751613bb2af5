import { expect, test } from 'vitest';
import { isPrefix, parsePrefixFile, Refusals } from '../../../../src/field/shares/refusals.ts';

test('who is within a prefix is refused, IPv4 and IPv6, until it is taken back', () => {
  const refused = new Refusals();
  refused.add(['10.1.0.0/16', '192.0.2.7', '2001:db8::/32']);
  for (const host of ['10.1.255.3', '192.0.2.7', '2001:db8:1::5', '[2001:db8::1]'])
    expect(refused.has(host)).toBe(true);
  for (const host of ['10.2.0.1', '192.0.2.8', '2001:db9::1', 'x', '']) expect(refused.has(host)).toBe(false);
  refused.remove(['10.1.0.0/16']);
  expect(refused.has('10.1.255.3')).toBe(false);
  expect(refused.prefixes).toEqual(['192.0.2.7', '2001:db8::/32']);
});

test('of prefixes that cannot all be added, or taken back, none is', () => {
  const refused = new Refusals();
  expect(() => refused.add(['10.0.0.1', '10.0.0.0/33'])).toThrow("'10.0.0.0/33' is no ADDRESS or ADDRESS/LENGTH");
  expect(refused.prefixes).toEqual([]);
  refused.add(['10.0.0.1']);
  expect(() => refused.remove(['10.0.0.1', '10.0.0.2'])).toThrow("'10.0.0.2' is not refused");
  expect(refused.has('10.0.0.1')).toBe(true);
});

test.each(['', 'host', '10.0.0', '10.0.0.0/', '10.0.0.0/-1', '::/129', '10.0.0.0/8/8', 'fe80::1%eth0'])(
  "'%s' is no prefix",
  (text) => {
    expect(isPrefix(text)).toBe(false);
  },
);

test('a file has one a line, with words for people, and the line that is none is named', () => {
  expect(parsePrefixFile('# the guests\n10.0.0.0/8  # floor 2\n\n2001:db8::1\n')).toEqual([
    '10.0.0.0/8',
    '2001:db8::1',
  ]);
  expect(() => parsePrefixFile('10.0.0.1\nsomebody\n')).toThrow("line 2: 'somebody' is no");
});
