import { expect, test } from 'vitest';
import { isTold, wireToServe } from '../../../../src/runes/dhcp/wires.ts';

const uplink = { name: 'eth0', mac: '52:54:00:00:00:01' };
const room = { name: 'eth1', mac: '52:54:00:00:00:02' };

test('of several wires the one that it is told to is served, else one where no DHCP server answers', () => {
  const answered = new Set(['eth0']);
  expect(wireToServe([uplink, room], answered, undefined)).toBe(room);
  expect(wireToServe([uplink, room], answered, 'eth0')).toBe(uplink);
  expect(wireToServe([uplink, room], new Set(['eth0', 'eth1']), '52:54:00:00:00:02')).toBe(room);
  expect(wireToServe([uplink, room], new Set(['eth0', 'eth1']), 'all')).toBeUndefined();
  expect(wireToServe([uplink, room], new Set(), undefined)).toBe(uplink);
  expect(wireToServe([uplink], new Set(['eth0']), undefined)).toBeUndefined();
});

test('a card is named by its name or its address', () => {
  expect(isTold('52:54:00:00:00:0A', { name: 'x', mac: '52:54:00:00:00:0a' })).toBe(true);
  expect(isTold('eth1', room)).toBe(true);
  for (const word of ['all', 'none', 'eth2', undefined]) expect(isTold(word, room)).toBe(false);
});
