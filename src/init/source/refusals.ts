import type { ImageCandidate } from '../../media/candidate.ts';

/** Images that were looked at and may not be used: the search goes on without them. */
export class Refusals {
  readonly #reasons = new Map<string, string>();
  #field: string | undefined;

  add({ path, device }: ImageCandidate, why: string): void {
    this.#reasons.set(keyOf({ path, device }), `${path} on ${device.path}: ${why}`);
  }

  has(candidate: ImageCandidate): boolean {
    return this.#reasons.has(keyOf(candidate));
  }

  /** The network was to give what a medium has too, and did not. */
  addField(why: string): void {
    this.#field = `network: ${why}`;
  }

  get hasField(): boolean {
    return this.#field !== undefined;
  }

  /** A line each, in the order they were refused. */
  get lines(): readonly string[] {
    return [...this.#reasons.values(), ...(this.#field === undefined ? [] : [this.#field])];
  }

  /** A person had the word and may have put in another medium, or mended one. */
  clear(): void {
    this.#reasons.clear();
    this.#field = undefined;
  }
}

/** The sequence number tells a medium from another one that takes its name later. */
const keyOf = ({ path, device }: Pick<ImageCandidate, 'path' | 'device'>): string => `${device.sequence} ${path}`;
