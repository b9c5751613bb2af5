/**
 * What the network offers where only signed images boot: the index and a signature of it by a key of the initrd are
 * fetched and checked before the image is taken. From then on the image's id stands for all of it.
 */
import { writeFileSync } from 'node:fs';
import { proveField } from '../../field/prove-field.ts';
import { NO_LIMITS, parseLimits } from '../../field/shares/limits.ts';
import type { Address } from '../../field/wire/address.ts';
import type { FieldKey } from '../../field/wire/key.ts';
import { SIGNATURE_SUFFIX } from '../../image/image-reference.ts';
import { parseMinisignSignature } from '../../image/minisign.ts';
import { readPublicKeys, trustIn } from '../../image/signature.ts';
import type { BootLog } from '../boot-log.ts';
import type { BootOptions } from '../command-line.ts';
import { keepIndex } from './kept-index.ts';
import { KEYS } from './signing-keys.ts';

export interface OfferedImage {
  readonly name: string;
  readonly id: string;
  readonly peers: readonly Address[];
}

/** An offer that proved false is heard of again and again: it is looked at again after so long. */
const AGAIN_MS = 15_000;

/** Which of the images that are offered are refused now, by their ids, and why. */
export class RefusedOffers {
  readonly #refused = new Map<string, { readonly why: string; readonly untilMs: number }>();

  add(id: string, why: string, nowMs: number): void {
    this.#refused.set(id, { why, untilMs: nowMs + AGAIN_MS });
  }

  /** @returns why, by image id */
  at(nowMs: number): ReadonlyMap<string, string> {
    const now = [...this.#refused].filter(([, { untilMs }]) => nowMs < untilMs);
    return new Map(now.map(([id, { why }]) => [id, why]));
  }
}

/**
 * Fetches index and signature from those who offer the image, and keeps both for the daemon.
 * @param host our own address
 * @returns where the index lies, its signature beside it
 * @throws Error why the image is not to be used
 */
export async function proveOffer(
  { name, id, peers }: OfferedImage,
  host: string,
  key: FieldKey | undefined,
  { limit }: Pick<BootOptions, 'limit'>,
  log: BootLog,
): Promise<string> {
  const rules = { trust: trustIn(await readPublicKeys(KEYS)) };
  const limits = limit === undefined ? NO_LIMITS : parseLimits(limit);
  const { index, papers } = await proveField({ host, id, peers, key, rules, limits }, new AbortController().signal);
  const [signature] = papers.signatures;
  if (signature === undefined) throw new Error('its signature was not kept');
  const { keyId, trustedComment } = parseMinisignSignature(Buffer.from(signature).toString('utf8'));
  log.choose(`signature of ${name}@${id.slice(0, 12)} from the field`, `by key ${keyId}: ${trustedComment}`);
  const path = await keepIndex(index);
  writeFileSync(path + SIGNATURE_SUFFIX, signature);
  return path;
}
