import type { ImageCandidate } from '../media/candidate.ts';

/** Images that were looked at and may not be used: the search goes on without them. */
export class Refusals {
  readonly #reasons = new Map<string, string>();

  add({ path, device }: ImageCandidate, why: string): void {
    this.#reasons.set(keyOf({ path, device }), `${path} on ${device.path}: ${why}`);
  }

  has(candidate: ImageCandidate): boolean {
    return this.#reasons.has(keyOf(candidate));
  }

  /** A line each, in the order they were refused. */
  get lines(): readonly string[] {
    return [...this.#reasons.values()];
  }

  /** A person had the word and may have put in another medium, or mended one. */
  clear(): void {
    this.#reasons.clear();
  }
}

/** The sequence number tells a medium from another one that takes its name later. */
const keyOf = ({ path, device }: Pick<ImageCandidate, 'path' | 'device'>): string => `${device.sequence} ${path}`;
