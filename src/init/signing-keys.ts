import { existsSync, readdirSync } from 'node:fs';

/** Public keys (minisign, *.pub) that a person put into the initrd: with one there, only signed images boot. */
export const KEYS = '/etc/viver/keys';

export function wantsSignature(): boolean {
  return existsSync(KEYS) && readdirSync(KEYS).some((name) => name.endsWith('.pub'));
}
