import { expect, test } from 'vitest';
import { arrivalWaitsMs, flightFor } from '../../../../src/runes/web/flight.ts';

test('cards whose driver stands still once it is overrun are sent no more than they hold', () => {
  // as drivers/net/eepro100.c and pcnet32.c name them
  for (const chip of ['82559er', 'eepro100', 'eepro100-1037', '82562et', '82562em', '82562-3', 'id1038', 'prove'])
    expect(flightFor(chip)).toBeLessThan(4 * 1348);
  expect(flightFor('pcnet32')).toBeLessThan(16 * 1348);
});

test('all others get what TCP finds right, as those that do not say what they are', () => {
  // Intel's gigabit cards have names of the same kind
  for (const chip of [null, '', '82540em', '82562v', '82562gt-2', '82566dm', 'virtio-net', 'vmxnet3', 'SNP', 'id1'])
    expect(flightFor(chip)).toBeUndefined();
});

test('a flight is looked for at once, and by a connection that takes nothing ten times a second', () => {
  const waits = arrivalWaitsMs();
  let waitedMs = 0;
  let looks = 0;
  for (; waitedMs < 10_000; looks++) {
    const { value } = waits.next();
    // never longer than a part of what was waited already: the wire stands idle for no more
    expect(value).toBeLessThanOrEqual(1 + waitedMs / 4);
    waitedMs += value;
  }
  expect(looks).toBeLessThan(130);
});
