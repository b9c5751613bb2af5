import { expect, test } from 'vitest';
import type { NeighbourImage } from '../../../../src/runes/engine/interfaces.ts';
import { ownerOf } from '../../../../src/runes/web/image-owner.ts';

const other = (address: string, ...claims: string[]): NeighbourImage => ({
  address,
  image: { name: 'other', id: '0'.repeat(64) },
  peers: [],
  claims,
});

test("a machine gets the image of the cluster that named it: the server's own roles first, then by address", () => {
  const others = [other('10.0.0.9', '52:54:00:*'), other('10.0.0.2', '52:54:00:aa:*', '*:01')];
  expect(ownerOf('52:54:00:aa:00:05', [], others)).toBe('10.0.0.2');
  expect(ownerOf('52:54:00:bb:00:05', [], others)).toBe('10.0.0.9');
  expect(ownerOf('52:54:00:aa:00:05', ['52:54:00:aa:00:05'], others)).toBeUndefined();
  expect(ownerOf('02:00:00:00:00:07', ['52:*'], others)).toBeUndefined();
});
