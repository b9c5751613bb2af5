import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DhcpOffer } from '../../../../src/net/dhcp-message.ts';
import { isMarked, sortOffers } from '../../../../src/runes/dhcp/who-answers.ts';

const MARK = Buffer.from('viver');
const offer = (server: string, yourAddress: string, options: [number, Uint8Array][] = []): DhcpOffer => ({
  server,
  yourAddress,
  options: new Map(options),
});

describe('who answers in DHCP', () => {
  test("is VIVER's by its mark, among the options or among those of PXE beside another server", () => {
    expect(isMarked(offer('10.0.0.1', '10.0.0.9', [[224, MARK]]))).toBe(true);
    const inside = Uint8Array.of(6, 1, 3, 224, 5, ...MARK, 255);
    expect(isMarked(offer('10.0.0.1', '0.0.0.0', [[43, inside]]))).toBe(true);
    expect(isMarked(offer('10.0.0.1', '10.0.0.9', [[43, Uint8Array.of(6, 1, 3)]]))).toBe(false);
  });

  test("a stranger that gives addresses is the network's server; one that only helps firmware is not", () => {
    const offers = [
      offer('10.0.0.1', '10.0.0.9'),
      offer('10.0.0.1', '10.0.0.9'),
      offer('10.0.0.3', '0.0.0.0', [[60, Buffer.from('PXEClient')]]),
      offer('10.0.0.2', '0.0.0.0', [[43, Uint8Array.of(224, 5, ...MARK)]]),
      offer('10.0.0.2', '10.0.0.8', [[224, MARK]]),
      offer('10.0.0.5', '10.0.0.9', [[224, MARK]]),
    ];
    expect(sortOffers(offers, '10.0.0.5')).toEqual({
      foreign: ['10.0.0.1'],
      marked: [{ server: '10.0.0.2', yourAddress: '10.0.0.8' }],
    });
  });

  test("whatever another vendor has in option 43, it is an offer like others'", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (inside) => {
        const { foreign } = sortOffers([offer('10.0.0.1', '10.0.0.9', [[43, inside]])], '');
        expect(foreign).toEqual(['10.0.0.1']);
      }),
    );
  });
});
