import { existsSync, readdirSync } from 'node:fs';
import { POLICY_FILE } from './policy.ts';
import { readPolicy } from './policy-file.ts';

/** Public keys (minisign, *.pub) that a person put into the initrd: with one there, only signed images boot. */
export const KEYS = '/etc/viver/keys';

/** Who wants images to be signed, for messages; undefined: nobody. */
export function whoWantsSignature(): string | undefined {
  if (readPolicy().signature) return POLICY_FILE;
  return hasKeys() ? KEYS : undefined;
}

export function wantsSignature(): boolean {
  return whoWantsSignature() !== undefined;
}

/**
 * Whether an image from the network must show a signature. A pin says which image it is to be, and is enough where only
 * keys want signatures; where the policy does, a pin of the command line, which anyone at the keyboard can write, is
 * none. A pin of the policy itself is better than any signature.
 */
export function needsProof(image: { readonly id?: string | undefined } | undefined): boolean {
  if (!wantsSignature() || isPinnedByPolicy()) return false;
  return image?.id === undefined || readPolicy().signature;
}

/** Why nothing of the network may be used: a signature is required, and there is no key to check one by. */
export function whyNoField(): string | undefined {
  if (!readPolicy().signature || hasKeys() || isPinnedByPolicy()) return undefined;
  return `${POLICY_FILE} requires a signature, and ${KEYS} has no key to check one by`;
}

function isPinnedByPolicy(): boolean {
  return readPolicy().fixed.some((word) => /^viver\.image=.*@sha256:/.test(word));
}

function hasKeys(): boolean {
  return existsSync(KEYS) && readdirSync(KEYS).some((name) => name.endsWith('.pub'));
}
