import { hash } from 'node:crypto';
import type { Release, ReleaseWord } from '../../image/release.ts';
import { matchesGlob } from '../engine/roles.ts';

/** A machine as far as releases speak of it. */
export interface RollMachine {
  /** Lower case with colons. */
  readonly mac: string;
  readonly hostname: string;
  readonly role: string;
}

/**
 * Where in a roll-out a machine comes, from 0 to 1: the same for all versions of a name, on every server. So who has
 * got the first tenth is among the first fifth. Pure.
 */
export function placeOf(name: string, mac: string): number {
  return hash('sha256', `${name}\n${mac}`, 'buffer').readUInt32BE(0) / 2 ** 32;
}

function isAbout(word: ReleaseWord, { mac, hostname, role }: RollMachine, name: string): boolean {
  switch (word.kind) {
    case 'all':
      return true;
    case 'host':
      return matchesGlob(word.pattern, hostname.toLowerCase());
    case 'mac':
      return matchesGlob(word.pattern, mac);
    case 'role':
      return word.name === role;
    case 'share':
      return placeOf(name, mac) < word.percent / 100;
  }
}

/** Whether a release is for a machine. Pure. */
export function isFor({ name, for: lines }: Pick<Release, 'name' | 'for'>, machine: RollMachine): boolean {
  return lines.some((words) => words.every((word) => isAbout(word, machine, name)));
}
