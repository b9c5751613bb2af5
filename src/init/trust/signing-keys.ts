import { existsSync, readdirSync } from 'node:fs';
import { POLICY_FILE } from './policy.ts';
import { readPolicy } from './policy-file.ts';

/** Public keys (minisign, *.pub) that a person put into the initrd: with one there, only signed images boot. */
export const KEYS = '/etc/viver/keys';

/** Who wants images to be signed, for messages; undefined: nobody. */
export function whoWantsSignature(): string | undefined {
  if (readPolicy().signature) return POLICY_FILE;
  return existsSync(KEYS) && readdirSync(KEYS).some((name) => name.endsWith('.pub')) ? KEYS : undefined;
}

export function wantsSignature(): boolean {
  return whoWantsSignature() !== undefined;
}

/**
 * Why nothing of the network may be used: a field carries no signatures, and where the policy wants one, a pin of the
 * command line, which anyone at the keyboard can write, is none. A pin of the policy itself is better than any.
 */
export function whyNoField(): string | undefined {
  const policy = readPolicy();
  if (!policy.signature || policy.fixed.some((word) => /^viver\.image=.*@sha256:/.test(word))) return undefined;
  return `${POLICY_FILE} requires a signature, and no field carries one; it may pin the image itself: fix viver.image=NAME@sha256:ID`;
}
