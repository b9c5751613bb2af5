import { existsSync, readdirSync } from 'node:fs';

/** Public keys (minisign, *.pub) that a person put into the initrd: with one there, only signed images boot. */
export const KEYS = '/etc/viver/keys';

/** Who wants images to be signed, for messages; undefined: nobody. */
export function whoWantsSignature(): string | undefined {
  return existsSync(KEYS) && readdirSync(KEYS).some((name) => name.endsWith('.pub')) ? KEYS : undefined;
}

export function wantsSignature(): boolean {
  return whoWantsSignature() !== undefined;
}
