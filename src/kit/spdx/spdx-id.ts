import { createHash } from 'node:crypto';

/**
 * An element's id, its own for every name: what SPDX does not take in an id (SPDX 2.3, 8.2) is a dash, and `a_b` and `a+b`
 * are two. Pure.
 * @param name what tells the thing from all others of its kind
 * @param shown the part of it that a person reads
 */
export function spdxId(kind: string, name: string, shown = name): string {
  const mark = createHash('sha256').update(name).digest('hex').slice(0, 12);
  return `SPDXRef-${kind}-${shown.replaceAll(/[^A-Za-z0-9.-]+/g, '-')}-${mark}`;
}
