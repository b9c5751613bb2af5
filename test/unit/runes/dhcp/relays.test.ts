import { expect, test } from 'vitest';
import { MOST_RELAYS, Relays } from '../../../../src/runes/dhcp/relays.ts';

const made = (count: number): Relays => {
  const relays = new Relays();
  for (let i = 0; i < count; i++) relays.hear(`10.7.0.${i}`, 1000 + i);
  return relays;
};

test('a relay counts once, and what is no address of IPv4 never', () => {
  const relays = new Relays();
  expect([relays.hear('10.7.0.1', 0), relays.hear('10.7.0.1', 1), relays.hear('10.7.0.999', 2)]).toEqual([
    true,
    false,
    false,
  ]);
  expect([relays.addresses, relays.changes]).toEqual([['10.7.0.1'], 1]);
});

test('there are never more than 16', () => {
  expect(made(300).addresses).toHaveLength(MOST_RELAYS);
});

test('made-up relays keep a real one out for a minute, not for good', () => {
  const relays = made(MOST_RELAYS);
  expect(relays.hear('10.9.0.1', 2000)).toBe(false);
  expect(relays.hear('10.9.0.1', 70_000)).toBe(true);
  expect(relays.addresses).toContain('10.9.0.1');
  expect(relays.addresses).not.toContain('10.7.0.0');
  expect(relays.addresses).toHaveLength(MOST_RELAYS);
});

test('who makes up relays without end has dnsmasq started anew once a minute at most', () => {
  const relays = made(MOST_RELAYS);
  const before = relays.changes;
  for (let ms = 0; ms < 600_000; ms += 100) relays.hear(`10.8.${(ms / 100) >> 8}.${(ms / 100) & 255}`, 2000 + ms);
  expect(relays.changes - before).toBeLessThanOrEqual(10);
});
