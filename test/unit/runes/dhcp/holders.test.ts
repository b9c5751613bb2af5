import { expect, test } from 'vitest';
import { holderOf } from '../../../../src/runes/dhcp/arp-probe.ts';
import { Holders } from '../../../../src/runes/dhcp/holders.ts';

const OWN = '52:54:00:00:00:50';
const LOWER = '52:54:00:00:00:10';
const HIGHER = '52:54:00:00:00:60';

test('of two that chose the same address the one with the higher MAC gives it up', () => {
  expect(new Holders().giveUp(OWN, LOWER, '10.86.0.1')).toBe(true);
  expect(new Holders().giveUp(OWN.toUpperCase(), LOWER, '10.86.0.1')).toBe(true);
  expect(new Holders().giveUp(OWN, HIGHER, '10.86.0.1')).toBe(false);
  expect(new Holders().giveUp(OWN, OWN, '10.86.0.1')).toBe(false);
  expect(new Holders().giveUp(OWN, 'unknown', '10.86.0.1')).toBe(false);
});

test('this machine answers by its other card, and is nobody to itself', () => {
  expect(holderOf([OWN], [OWN.toUpperCase(), HIGHER])).toBeUndefined();
  expect(holderOf([LOWER, OWN], [OWN])).toBe(LOWER);
  expect(holderOf([], [OWN])).toBe('unknown');
});

test('who answers for every address has none of them', () => {
  const holders = new Holders();
  for (const address of ['10.86.0.1', '10.86.0.2', '10.86.0.3']) expect(holders.note(LOWER, address)).toBe(true);
  expect(holders.note(LOWER, '10.86.0.3')).toBe(true);
  expect(holders.note(LOWER, '10.86.0.4')).toBe(false);
  expect(holders.giveUp(OWN, LOWER, '10.86.0.4')).toBe(false);
  expect(holders.note(HIGHER, '10.86.0.4')).toBe(true);
  for (let i = 0; i < 100; i++) expect(holders.note('unknown', `10.86.1.${i}`)).toBe(true);
});

test('whoever names another MAC each time has a machine give up three addresses, and no more', () => {
  const holders = new Holders();
  const given = Array.from({ length: 1000 }, (_, i) => {
    const mac = `00:00:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`;
    return holders.giveUp(OWN, mac, `10.86.${i >> 8}.${i & 255}`);
  });
  expect(given.filter(Boolean)).toHaveLength(3);
});
