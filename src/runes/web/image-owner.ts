import type { NeighbourImage } from '../engine/interfaces.ts';
import { matchesGlob } from '../engine/roles.ts';

/**
 * Whose image a machine gets without a person's choosing, where clusters of several images share a wire: this server's
 * own roles come first, then those of the others in the order of their addresses. Pure.
 * @param mac lower case with colons
 * @param own MAC patterns of this server's roles
 * @returns the address of another cluster's first machine; undefined: this server's own image
 */
export function ownerOf(mac: string, own: readonly string[], others: readonly NeighbourImage[]): string | undefined {
  const isOf = (patterns: readonly string[]) => patterns.some((pattern) => matchesGlob(pattern, mac));
  if (isOf(own)) return undefined;
  return [...others].sort((a, b) => (a.address < b.address ? -1 : 1)).find(({ claims }) => isOf(claims))?.address;
}
