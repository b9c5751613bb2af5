import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CARD_QUERY, otherCard, vlanOfCard } from '../../../../src/runes/web/ipxe-card.ts';

const FROM = '10.86.0.9';
const query = (card: string, ip = FROM) => new URLSearchParams({ card, ip });

test("a device named as iPXE names a card's VLAN has that VLAN", () => {
  expect(vlanOfCard(query('net0-7'), FROM)).toBe(7);
  expect(vlanOfCard(query('net12-4094'), FROM)).toBe(4094);
});

test('a card, a priority tag, and what is no name of iPXE have none', () => {
  const none = ['net0', 'net0-0', 'net0-4095', 'net0-07', 'net0-7-8', 'net0--7', 'eth-5', '', ' net0-7', 'net0-7\n'];
  for (const card of none) expect(vlanOfCard(query(card), FROM)).toBeUndefined();
});

test('an old iPXE, whose settings expand to nothing, has none, and nothing is said of it', () => {
  for (const text of ['', 'card=&ip=', `card=&ip=${FROM}`, 'card=net0-7']) {
    expect(vlanOfCard(new URLSearchParams(text), FROM)).toBeUndefined();
  }
  for (const text of ['', 'card=&ip=', 'mac=52-54-00-00-00-01'])
    expect(otherCard(new URLSearchParams(text), FROM)).toBeUndefined();
});

test('a device that has not the address which asks is not the one, and that is said', () => {
  for (const [card, ip] of [
    ['net0-7', ''],
    ['net0', ''],
    ['net0-7', '10.86.0.8'],
  ] as const) {
    expect(vlanOfCard(query(card, ip), FROM)).toBeUndefined();
    expect(otherCard(query(card, ip), FROM)).toContain(card);
  }
  expect(otherCard(query('net0-7'), FROM)).toBeUndefined();
});

test('whatever is said, the VLAN is 1 to 4094, and the log gets no text of the asker', () => {
  const device = fc.tuple(fc.nat(99), fc.integer({ min: -9, max: 99_999 })).map(([n, tag]) => `net${n}-${tag}`);
  const card = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), device);
  fc.assert(
    fc.property(card, fc.oneof(fc.constant(FROM), fc.string()), (name, ip) => {
      const vlan = vlanOfCard(query(name, ip), FROM);
      if (vlan !== undefined) {
        expect(name).toMatch(new RegExp(`^net\\d+-${vlan}$`));
        expect(vlan).toBeGreaterThanOrEqual(1);
        expect(vlan).toBeLessThanOrEqual(4094);
      }
      expect(otherCard(query(name, ip), FROM) ?? '').not.toMatch(/[^\x20-\x7e]/);
    }),
  );
});

test('the query is plain text of a URL, its settings aside', () => {
  expect(CARD_QUERY.replaceAll(/\$\{[^}]+\}/g, '')).toBe('card=&ip=');
});
