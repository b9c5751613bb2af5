import { describe, expect, test } from 'vitest';
import { play } from '../field/runes/play.ts';

const SILENCE = { bare: [], windows: [], dhclient: [], udhcpc: [], android: [] };

describe('two clusters of different images on one wire that multicast does not get through', () => {
  test('switched on all at once they agree on one server, and each image has one field', async () => {
    const found = (await play('all at once', 'cluster-scenarios')) as { firmware: Record<string, string[]> };
    expect(found).toMatchObject({ peers: [1, 1, 1, 1], changed: true, heard: SILENCE });
    expect(found.firmware['0']).toContain('OFFER undionly.kpxe');
    expect(found.firmware['0']).not.toContain('NAK');
  });

  test('beside another DHCP server one of them answers firmware, until it is switched off', async () => {
    expect(await play('beside another server', 'cluster-scenarios')).toEqual({
      mode: 'proxy',
      still: 1,
      bios: { 0: [expect.stringMatching(/^OFFER/)] },
      heard: SILENCE,
    });
  });
});
